"""Gather, label and split the cohort of a recipe, from the index of its clips alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from zlib import crc32

from echokit.clips.cohort import gather
from echokit.clips.labels import Labelled, label
from echokit.clips.splits import Split, split_by_column, split_patients
from echokit.errors import CohortError
from echokit.recipe import DROP, VIEW_COLUMN, Recipe
from echokit.types import ClipRef, Cohort, Rejection


def gather_cohort(recipe: Recipe, index: Iterable[ClipRef | Rejection]) -> Cohort:
    """Gather the clips of an index that a recipe can use.

    Raises:
        CohortError: no clip can be used.
    """
    cohort = gather(index, recipe.views.use, recipe.views.alias)
    clips = tuple(map(_annotate_view, cohort.clips)) if recipe.view_tasks else cohort.clips
    return replace(cohort, clips=clips)


def _annotate_view(ref: ClipRef) -> ClipRef:
    """Add a clip's canonical view as an annotation, unless it has one of that name."""
    return replace(ref, labels={VIEW_COLUMN: ref.view or ""} | dict(ref.labels))


def label_tasks(cohort: Cohort, recipe: Recipe, least: int = 2) -> dict[str, Labelled]:
    """Label the clips of a cohort in every enabled task.

    Raises:
        CohortError: there are fewer than `least` labels.
    """
    return {
        name: label(cohort, task.column, task.map, task.labels, DROP, least)
        for name, task in recipe.enabled_tasks.items()
    }


def split_cohort(cohort: Cohort, labels: Labelled, recipe: Recipe) -> tuple[Split, ...]:
    """Split the labelled patients of a cohort as the recipe says.

    Raises:
        CohortError: a label has too few patients to be split.
    """
    settings = recipe.split
    if settings.method == "file":
        return split_by_column(cohort.clips, labels.patients, settings.column)
    return split_patients(
        strata(labels), settings.method, settings.splits, settings.held_out, recipe.seed
    )


def strata(labels: Labelled) -> Mapping[str, str]:
    """Return the labels by which patients are stratified.

    In a task that predicts the view they are all equal, since a patient has several views.
    """
    if labels.column == VIEW_COLUMN:
        return dict.fromkeys(labels.patients, "any view")
    return labels.patients


def fold_patients(split: Split, labels: Mapping[str, str], recipe: Recipe) -> tuple[Split, ...]:
    """Divide the training patients of a split into the folds of cross-fitting.

    Raises:
        CohortError: a label has fewer training patients than there are folds.
    """
    if not recipe.crossfit.folds:
        return ()
    training = {patient: labels[patient] for patient in split.train}
    seed = crc32(f"{recipe.seed} crossfit {split.index}".encode())
    try:
        return split_patients(training, "k-fold", recipe.crossfit.folds, 0.5, seed)
    except CohortError as error:
        raise CohortError(
            f"Cross-fitting in split {split.index}: {error} Or disable it: --set crossfit.folds=0."
        ) from error
