"""Find the cohort of a run: list its clips, predict missing views and check the labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from echokit.clips.store import Store
from echokit.components.cohorts import gather_cohort, label_tasks
from echokit.components.loading import make_loader
from echokit.components.views import open_view_classifier
from echokit.recipe import Recipe
from echokit.system.progress import Progress
from echokit.types import Cohort
from echokit.voting.view_classifier import find_views


def find_cohort(recipe: Recipe, store: Store, progress: Progress, least: int = 2) -> Cohort:
    """List the clips of a recipe's cohort; no pixels are read yet, except to find a view.

    Args:
        recipe: names the loader, and with `views.classifier` the network that predicts views.
        store: store of the clips prepared for that network.
        progress: receives its progress.
        least: number of labels that there must be.

    Raises:
        CohortError: no clip can be used, or there are fewer labels.
    """
    loader, views = make_loader(recipe.data), recipe.views
    index, confidences = loader.index(), dict[str, float]()
    if views.classifier:
        classifier = open_view_classifier(Path(views.classifier), views.threshold)
        index, confidences = find_views(index, loader, classifier, store, progress)
    cohort = replace(gather_cohort(recipe, index), view_confidence=confidences)
    label_tasks(cohort, recipe, least)  # fail before clips are prepared for minutes
    return cohort
