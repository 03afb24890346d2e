"""Prepare the clips of a cohort, label and split its patients: `cohort.csv`."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

from echokit.clips import preparation
from echokit.clips.cohort import cohort_table
from echokit.clips.preparation import too_short
from echokit.clips.store import Store
from echokit.components.cohorts import fold_patients, label_tasks, split_cohort, strata
from echokit.components.loading import make_loader
from echokit.components.slots import make_preparation
from echokit.errors import ClipError, CohortError
from echokit.folder import RunFolder
from echokit.recipe import Recipe
from echokit.runs.parallel import prepare_in_processes
from echokit.runs.population import Population
from echokit.system.digests import file_digest
from echokit.system.files import write_text
from echokit.system.progress import Progress
from echokit.system.sheets import csv_text
from echokit.types import ClipRef, Cohort, Rejection


def prepare_cohort(
    cohort: Cohort, recipe: Recipe, folder: RunFolder, progress: Progress
) -> tuple[Population, str]:
    """Prepare the clips of a cohort, label and split its patients, and write `cohort.csv`.

    Returns:
        The population, and the result in a few words.

    Raises:
        CohortError: no clip can be used, or a label has too few patients to be split.
    """
    population = prepare_population(cohort, recipe, Store(folder.store), progress)
    write_cohort(population, recipe, folder)
    rejected = len(population.cohort.rejected)
    return population, f"{len(population.keys)} clips ready, {rejected} rejected"


def prepare_population(
    cohort: Cohort, recipe: Recipe, store: Store, progress: Progress
) -> Population:
    """Prepare every clip once, then label and split the patients of the usable clips."""
    kept, keys = prepare_clips(cohort, recipe, store, progress)
    labelled = label_tasks(kept, recipe)
    splits = {task: split_cohort(kept, labels, recipe) for task, labels in labelled.items()}
    folds = {
        task: tuple(fold_patients(split, strata(labels), recipe) for split in splits[task])
        for task, labels in labelled.items()
    }
    return Population(kept, labelled, splits, folds, keys)


def prepare_clips(
    cohort: Cohort, recipe: Recipe, store: Store, progress: Progress
) -> tuple[Cohort, dict[str, tuple[str, int]]]:
    """Prepare every clip that is not in the store yet.

    Returns:
        The cohort of the usable clips, and clip -> (key in the store, number of frames).
    """
    loader, steps = make_loader(recipe.data), make_preparation(recipe)
    prepare_in_processes(recipe, cohort.clips, store, progress)
    longest = max(recipe.of_approach(name).sequences.k for name in recipe.enabled_approaches)
    ready: list[ClipRef] = []
    rejected: list[Rejection] = list(cohort.rejected)
    keys: dict[str, tuple[str, int]] = {}
    first_of: dict[str, ClipRef] = {}
    with progress.bar("Preparing clips", len(cohort.clips), "clips") as tick:
        for ref, key in preparation.prepare(loader, cohort.clips, steps, store):
            tick(1)
            if isinstance(key, ClipError):
                rejected.append(Rejection(ref.clip, str(key), ref.patient, ref.view))
            elif reason := too_short(store, key, longest) or _other_patient(ref, key, first_of):
                rejected.append(Rejection(ref.clip, reason, ref.patient, ref.view))
            else:
                ready.append(ref)
                keys[ref.clip] = (key, store.length(key))
    if not ready:
        reasons = "; ".join(f"{item.where}: {item.reason}" for item in rejected[:3])
        raise CohortError(f"Not one of {len(rejected)} clips can be used. The first: {reasons}.")
    return replace(cohort, clips=tuple(ready), rejected=tuple(rejected)), keys


def _other_patient(ref: ClipRef, key: str, first_of: dict[str, ClipRef]) -> str:
    """State that a clip has the content of another patient's clip; empty if it has not."""
    first = first_of.setdefault(key, ref)
    if first.patient == ref.patient:
        return ""
    return f"it has the same content as {first.clip} of patient {first.patient}"


def write_cohort(population: Population, recipe: Recipe, folder: RunFolder) -> None:
    """Write `cohort.csv` and the figures of the cohort in `run.json`.

    If a resumed run has another cohort than before, its results are computed again.
    """
    cohort, path = population.cohort, folder.path / "cohort.csv"
    table = cohort_table(cohort, population.labelled, population.splits)
    table["content"] = table["clip"].map({clip: key for clip, (key, _) in population.keys.items()})
    content = csv_text(table.fillna("")).encode()
    kept = folder.digests.files.get(path.name)  # of the cohort, though its file be damaged
    if path.is_file() and (kept or file_digest(path)) != hashlib.sha256(content).hexdigest():
        folder.forget_results()
    write_text(path, content.decode())
    labelled = population.labelled.items()
    folder.state["cohort"] = {
        "patients": len(cohort.patients),
        "clips": len(cohort.clips),
        "rejected": len(cohort.rejected),
        "views": dict(Counter(ref.view for ref in cohort.clips)),
        "views_found": sum(ref.clip in cohort.view_confidence for ref in cohort.clips),
        "labels": {task: dict(Counter(labels.patients.values())) for task, labels in labelled},
        "dropped": {task: dict(labels.dropped) for task, labels in labelled},
    }
    folder.state["splits"] = {
        "method": recipe.split.method,
        "n": max(map(len, population.splits.values())),
        "held_out": recipe.split.held_out,
    }
