"""Evaluate the networks of every split on patients of another cohort: `external.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from echokit.clips.apart import refuse_clips, refuse_patients, same_folder
from echokit.clips.cohort import cohort_table
from echokit.clips.labels import Labelled
from echokit.clips.splits import Split
from echokit.components.cohorts import label_tasks
from echokit.components.slots import make_abstention
from echokit.errors import CohortError
from echokit.evaluation.external import external_differences
from echokit.evaluation.metrics import evaluate
from echokit.recipe import Slot
from echokit.report.words import plural
from echokit.runs.cohort import find_cohort
from echokit.runs.context import Run
from echokit.runs.jobs import jobs_of
from echokit.runs.population import Population
from echokit.runs.predict import predict_clips, predict_subjects
from echokit.runs.prepare import prepare_clips
from echokit.system.files import write_json, write_text
from echokit.system.sheets import csv_text
from echokit.types import Cohort
from echokit.voting.table import PredictionTable


def step(run: Run) -> str:
    """Predict the external test cohort by the networks of every split, and evaluate it.

    Writes `external.parquet`, with the columns of `predictions.parquet`, `external.csv`, which
    lists every clip and rejection, and `external.json`.

    Raises:
        CohortError: the cohort cannot be used, or it shares patients with the run's own cohort.
    """
    external = replace(run, found=find_population(run))
    clips = PredictionTable.of(
        predict_clips(external, jobs_of(run), "Predicting the external test cohort")
    )
    if not len(clips):
        raise CohortError("The external test cohort has no labelled clip of a view with a network.")
    subjects = PredictionTable.of(predict_subjects(external, clips.views))
    table = clips.with_rows(subjects)
    table.write(run.folder.external_predictions)
    _write_cohort(external)
    _write_figures(run, external.population, table)
    return f"{clips.n_subjects} patients, {len(subjects)} subject predictions"


def find_population(run: Run) -> Population:
    """Find, prepare and label the external test cohort; all patients are on the side `test`.

    Raises:
        CohortError: no clip can be used, none has a label, or the cohort shares patients with the
            run's own cohort.
    """
    recipe = run.recipe.of_test_cohort()
    cohort = find_cohort(recipe, run.store, run.progress, least=1)
    own = run.population
    if _same_source(run.recipe.data, recipe.data):
        refuse_patients(cohort.patients, own.cohort.patients)
    kept, keys = prepare_clips(cohort, recipe, run.store, run.progress)
    refuse_clips(*({clip: key for clip, (key, _) in x.items()} for x in (keys, own.keys)))
    labelled = label_tasks(kept, recipe, least=1)
    splits = {
        task: tuple(_all_tested(split.index, labels) for split in own.splits[task])
        for task, labels in labelled.items()
    }
    return Population(kept, labelled, splits, {}, keys)


def _all_tested(index: int, labels: Labelled) -> Split:
    return Split(index, train=frozenset(), test=frozenset(labels.patients))


def _same_source(one: Slot, other: Slot) -> bool:
    """Return True if the same name of a patient in both cohorts means the same person."""
    sources = [str(slot.options.get("source") or "") for slot in (one, other)]
    return same_folder(*sources) if all(sources) else one == other


def _write_cohort(external: Run) -> None:
    """Write `external.csv`: every clip with its labels, and every rejection."""
    population = external.population
    no_splits = dict.fromkeys(population.labelled, ())
    table = cohort_table(population.cohort, population.labelled, no_splits)
    write_text(external.folder.path / "external.csv", csv_text(table))


def _write_figures(run: Run, population: Population, table: PredictionTable) -> None:
    """Write `external.json`: metrics, their differences from cross-validation, and the cohort."""
    recipe, cohort = run.recipe, population.cohort
    settings = (run.population.classes_by_task, recipe.evaluate.bootstrap, recipe.seed)
    labelled = population.labelled.items()
    write_json(
        run.folder.path / "external.json",
        {
            "schema": 1,
            "synthetic": cohort.synthetic,
            "cohort": {
                "patients": len(cohort.patients),
                "clips": len(cohort.clips),
                "rejected": len(cohort.rejected),
                "views": dict(Counter(ref.view for ref in cohort.clips)),
                "labels": {task: dict(Counter(x.patients.values())) for task, x in labelled},
                "dropped": {task: dict(labels.dropped) for task, labels in labelled},
            },
            "rows": evaluate(table, *settings, make_abstention(recipe).active, recipe.view_tasks),
            "differences": external_differences(run.held_out, table, *settings),
            "notes": list(_notes(run.population.cohort, cohort)),
        },
    )


def _notes(own: Cohort, other: Cohort) -> Iterator[str]:
    """State what a reader must know of the two cohorts."""
    shared = sorted(set(own.patients) & set(other.patients))
    if shared and not (own.synthetic and other.synthetic):
        yield (
            f"{plural(len(shared), 'patient')} of the external cohort "
            f"{'has a name' if len(shared) == 1 else 'have names'} that the run's own cohort has "
            f"too, such as {shared[0]}. The cohorts have different sources, no clip is the same, "
            "and the names are taken for those of other people."
        )
