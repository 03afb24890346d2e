"""The study population: clips found, prepared, labelled and split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from echokit.clips.cohort import cohort_table, gather
from echokit.clips.labels import Labelled, label
from echokit.clips.preparation import prepare, too_short
from echokit.clips.splits import Split, split_patients
from echokit.clips.store import Store
from echokit.components import make_loader, make_preparation
from echokit.errors import ClipError, CohortError
from echokit.folder import RunFolder
from echokit.recipe import DROP, VIEW_COLUMN, Recipe
from echokit.runs.population import Study
from echokit.studies.views import fill_views, open_viewer
from echokit.system.files import write_text
from echokit.system.progress import Progress, Silent
from echokit.types import ClipRef, Cohort, Rejection

if TYPE_CHECKING:
    pass


def find_clips(
    recipe: Recipe, store: Store | None = None, progress: Progress | None = None
) -> Cohort:
    """Ask the loader what there is; no pixels are read yet, except to find a view.

    Args:
        recipe: what to look for, and with `views.classifier` who tells an unknown view.
        store: where clips are prepared for `views.classifier`.
        progress: who watches that.
    """
    loader, views = make_loader(recipe.data), recipe.views
    found, confidences = loader.index(), dict[str, float]()
    if views.classifier:
        assert store is not None, "finding views takes a store"
        viewer = open_viewer(Path(views.classifier), views.threshold)
        found, confidences = fill_views(found, loader, viewer, store, progress or Silent())
    cohort = gather(found, views.use, views.alias)
    clips = tuple(map(_bearing_its_view, cohort.clips)) if recipe.view_tasks else cohort.clips
    return replace(cohort, clips=clips, view_confidence=confidences)


def _bearing_its_view(ref: ClipRef) -> ClipRef:
    """A clip with its canonical view as an annotation, unless it bears one of that name."""
    return replace(ref, labels={VIEW_COLUMN: ref.view or ""} | dict(ref.labels))


def label_all(cohort: Cohort, recipe: Recipe) -> dict[str, Labelled]:
    """The labels of every enabled task."""
    return {
        name: label(cohort, task.column, task.map, task.labels, DROP)
        for name, task in recipe.enabled_tasks.items()
    }


def prepare_cohort(cohort: Cohort, recipe: Recipe, store: Store, progress: Progress) -> Study:
    """Prepare every clip once, then label and split what could be prepared."""
    loader, preparation = make_loader(recipe.data), make_preparation(recipe)
    longest = max(recipe.of_approach(name).sequences.k for name in recipe.enabled_approaches)
    ready: list[ClipRef] = []
    rejected: list[Rejection] = list(cohort.rejected)
    keys: dict[str, tuple[str, int]] = {}
    owner: dict[str, ClipRef] = {}
    with progress.bar("Preparing clips", len(cohort.clips), "clips") as tick:
        for ref, key in prepare(loader, cohort.clips, preparation, store):
            tick(1)
            if isinstance(key, ClipError):
                rejected.append(Rejection(ref.clip, str(key), ref.patient, ref.view))
            elif reason := too_short(store, key, longest) or _another_patients(ref, key, owner):
                rejected.append(Rejection(ref.clip, reason, ref.patient, ref.view))
            else:
                ready.append(ref)
                keys[ref.clip] = (key, store.length(key))
    if not ready:
        reasons = "; ".join(f"{item.where}: {item.reason}" for item in rejected[:3])
        raise CohortError(f"Not one of {len(rejected)} clips can be used. The first: {reasons}.")
    kept = replace(cohort, clips=tuple(ready), rejected=tuple(rejected))
    labelled = label_all(kept, recipe)
    how = recipe.split
    splits = {
        task: split_patients(_strata(labels), how.method, how.splits, how.held_out, recipe.seed)
        for task, labels in labelled.items()
    }
    folds = {
        task: tuple(_fold(split, _strata(labels), recipe) for split in splits[task])
        for task, labels in labelled.items()
    }
    return Study(kept, labelled, splits, folds, keys)


def _strata(labels: Labelled) -> Mapping[str, str]:
    """What patients are stratified by: their labels, but a view is nobody's property."""
    if labels.column == VIEW_COLUMN:
        return dict.fromkeys(labels.patients, "any view")
    return labels.patients


def _fold(split: Split, labels: Mapping[str, str], recipe: Recipe) -> tuple[Split, ...]:
    """Divide one split's training patients; nobody who is held out by it plays a part."""
    if not recipe.crossfit.folds:
        return ()
    training = {patient: labels[patient] for patient in split.train}
    seed = crc32(f"{recipe.seed} crossfit {split.index}".encode())
    try:
        return split_patients(training, "k-fold", recipe.crossfit.folds, 0.5, seed)
    except CohortError as error:
        raise CohortError(
            f"Cross-fitting in split {split.index}: {error} Or leave it out: "
            "--set crossfit.folds=0."
        ) from error


def _another_patients(ref: ClipRef, key: str, owner: dict[str, ClipRef]) -> str:
    """Why a clip cannot be this patient's: the same content is another's already."""
    first = owner.setdefault(key, ref)
    if first.patient == ref.patient:
        return ""
    return f"it has the same content as {first.clip} of patient {first.patient}"


def write_cohort(study: Study, recipe: Recipe, folder: RunFolder) -> None:
    """Write `cohort.csv` and the cohort's figures in `run.json`.

    Where a resumed run finds another cohort than before, its results are made again.
    """
    clips, path = study.cohort.clips, folder.path / "cohort.csv"
    table = cohort_table(study.cohort, study.labelled, study.splits)
    table["content"] = table["clip"].map({clip: key for clip, (key, _) in study.keys.items()})
    text = table.fillna("").to_csv(index=False)
    if path.is_file() and path.read_text("utf-8") != text:
        folder.forget_results()
    write_text(path, text)
    folder.state["cohort"] = {
        "patients": len(study.cohort.patients),
        "clips": len(clips),
        "rejected": len(study.cohort.rejected),
        "views": dict(Counter(ref.view for ref in clips)),
        "views_found": sum(ref.clip in study.cohort.view_confidence for ref in clips),
        "labels": {
            task: dict(Counter(labels.patients.values())) for task, labels in study.labelled.items()
        },
        "dropped": {task: dict(labels.dropped) for task, labels in study.labelled.items()},
    }
    folder.state["splits"] = {
        "method": recipe.split.method,
        "n": recipe.split.splits,
        "held_out": recipe.split.held_out,
    }
