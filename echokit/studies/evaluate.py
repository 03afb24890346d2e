"""Evaluate a model on labelled patients: a finished run or a bundle, by the same code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike

import numpy as np

import echokit
from echokit.clips.apart import refuse_clips, refuse_patients, same_folder
from echokit.clips.labels import Labelled, label
from echokit.clips.store import Store
from echokit.components.loading import make_loader
from echokit.components.slots import make_abstention
from echokit.errors import CohortError, UsageError
from echokit.evaluation.metrics import evaluate as evaluate_table
from echokit.interfaces import Loader
from echokit.recipe import DROP, Slot
from echokit.studies.clips import Desk, PreparedClips, predict_clips, prepare_clips
from echokit.studies.evaluation import Evaluation
from echokit.studies.load import load
from echokit.studies.model import Model
from echokit.studies.outcomes import ClipResult, Outcome
from echokit.system.checked import read_csv
from echokit.system.leftovers import scratch_folder
from echokit.system.progress import Listener, Progress, watched
from echokit.types import Cohort, Prediction
from echokit.voting.subjects import vote_subjects
from echokit.voting.table import Place, PredictionTable, Row

UNCHECKED = (
    "{} does not say of which patients its networks learned, so that it cannot be checked that "
    "none of them is among the patients here."
)

UNLIKE = (
    "{} of {} clips are unlike every clip that their network learned from. `echokit predict` would "
    "reject them; here they count."
)


def evaluate(
    model: Model | str | PathLike[str],
    data: str | PathLike[str],
    task: str | None = None,
    *,
    loader: str | None = None,
    options: Mapping[str, object] | None = None,
    engine: str = "auto",
    progress: Progress | Listener | None = None,
) -> Evaluation:
    """Evaluate the networks of a finished run or of a bundle on labelled patients.

    The networks are those that predict studies: of a run those of its first split. Labels come
    from the column of the task, as the loader finds it in a manifest or in a sheet of grades.

    Args:
        model: a model, or the folder of a finished run or a bundle.
        data: clips with labels: a CSV manifest, a folder with `manifest.csv`, or what else the
            loader reads.
        task: one of the run's tasks; None for its first, or that of `model`.
        loader: name of the loader; None takes the one that the recipe reads a user's files with.
        options: options of that loader.
        engine: what runs the networks; see `load`.
        progress: a function `(title, done, total)`, or a `Progress`.

    Raises:
        CohortError: no clip can be used or has a label, or networks learned from some of the
            patients.
        UsageError: there is no run or bundle, or it has no such task.

    >>> model = echokit.load("runs/ph-newborn")
    >>> found = echokit.evaluate(model, "", loader="phantom", options={"seed": 9, "patients": 3,
    ...     "views": ["A4C"], "size": 64, "frames": 16, "frames_sd": 1})
    >>> found.metrics[["views", "n_subjects"]].values.tolist()
    [['A4C', 3], ['MV-3', 3]]
    """
    if not isinstance(model, Model):
        model = load(model, task, engine)
    elif task not in (None, model.task):
        raise UsageError(f"The model is for the task {model.task!r}, not {task!r}: load another.")
    slot = _slot(model.recipe.study, str(data), loader, options or {})
    with scratch_folder() as scratch:
        desk = Desk(
            networks=model.networks,
            loader=make_loader(slot),
            store=Store(scratch),
            progress=watched(progress),
            view_from="file",
            view_classifier=None,
            saliency=False,
            test_saliency=False,
            judge_anyway=True,  # figures of chosen clips alone would be too good
        )
        prepared = prepare_clips(desk)
        labels = _label(model, prepared, desk.loader)
        notes = _check_apart(model, prepared, slot)
        ready = {clip: one for clip, one in prepared.ready.items() if clip in labels.clips}
        predicted = predict_clips(desk, replace(prepared, ready=ready))
    table = _tabulate(model, [predicted.results[clip] for clip in ready], labels)
    unlike = sum(bool(clip.judged_anyway) for clip in predicted.results.values())
    if unlike:
        notes += (UNLIKE.format(unlike, len(ready)),)
    recipe = model.recipe
    return Evaluation(
        run=model.run,
        recipe=recipe.name,
        task=model.task,
        classes=model.classes,
        synthetic=any(ref.synthetic for ref, _ in ready.values()),
        synthetic_training=model.synthetic,
        labels=Counter(labels.patients.values()),
        dropped=dict(labels.dropped),
        rejected=prepared.rejected,
        rows=evaluate_table(
            table,
            {model.task: model.classes},
            recipe.evaluate.bootstrap,
            recipe.seed,
            make_abstention(recipe).active,
            recipe.view_tasks,
        ),
        table=table,
        inference=predicted.inference,
        notes=notes,
        version=echokit.__version__,
    )


def _slot(study: Slot, data: str, loader: str | None, options: Mapping[str, object]) -> Slot:
    """Return the slot that reads the data."""
    kept = study.options if loader in (None, study.use) else {}
    return Slot(use=loader or study.use, **kept | dict(options) | {"source": data})


def _label(model: Model, prepared: PreparedClips, loader: Loader) -> Labelled:
    """Label the clips that can be used.

    Raises:
        CohortError: no clip can be used, or none has a label.
    """
    refs = tuple(ref for ref, _ in prepared.ready.values())
    if not refs:
        named = "; ".join(f"{one.where}: {one.reason}" for one in prepared.rejected[:3])
        raise CohortError(f"No clip can be used: {named or 'there is no file'}.")
    task = model.recipe.tasks[model.task]
    return label(Cohort(refs), task.column, task.map, model.classes, DROP, least=1)


def _check_apart(model: Model, prepared: PreparedClips, slot: Slot) -> tuple[str, ...]:
    """Check that the networks did not learn from the patients; return what could not be checked.

    Raises:
        CohortError: they learned from some of them.
    """
    learned = _learned(model)
    if learned is None:
        return (UNCHECKED.format(model.folder.name),)
    patients, contents = learned
    own = model.recipe.data
    sources = [str(one.options.get("source") or "") for one in (own, slot)]
    if same_folder(*sources) if all(sources) else own == slot:
        refuse_patients({ref.patient for ref, _ in prepared.ready.values()}, patients)
    refuse_clips({clip: item.key for clip, (_, item) in prepared.ready.items()}, contents)
    return ()


def _learned(model: Model) -> tuple[set[str], dict[str, str]] | None:
    """Return the patients from whom a run's networks learned, and clip -> key of their clips."""
    file, side = model.folder / "cohort.csv", f"{model.task}_split_00"
    if not file.is_file():
        return None
    table = read_csv(file, ("patient", "clip"))
    if side not in table or "content" not in table:  # written by an early version
        return None
    mine = table[table[side] == "train"]
    return set(mine["patient"]), dict(zip(mine["clip"], mine["content"], strict=True))


def _tabulate(model: Model, clips: Sequence[ClipResult], labels: Labelled) -> PredictionTable:
    """Tabulate the predictions of sequences, clips and patients with their true labels."""
    approach = next(iter(model.recipe.enabled_approaches))
    rows = list(_rows(model.task, approach, clips, labels))
    subjects = vote_subjects(
        PredictionTable.of(rows).views,
        {model.task: model.classes},
        {model.task: labels.patients},
        model.recipe.used_view_sets,
        lambda *_: model.rule,
        make_abstention(model.recipe),
    )
    return PredictionTable.of([*rows, *subjects])


def _rows(task: str, approach: str, clips: Iterable[ClipResult], labels: Labelled) -> Iterator[Row]:
    for clip in clips:
        place, true = Place(task, approach, clip.view, 0), labels.clips[clip.clip]
        for one in clip.sequences:
            yield Row("sequence", place, clip.patient, true, _prediction(one), clip.clip, one.start)
        yield Row("view", place, clip.patient, true, _prediction(clip), clip.clip)


def _prediction(one: Outcome) -> Prediction:
    return Prediction(one.label, one.confidence, np.array(list(one.probabilities.values())))
