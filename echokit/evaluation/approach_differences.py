"""Compute differences between approaches on the same clips of the same patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from echokit.evaluation.bootstrap import (
    confusion_metrics,
    mean_of_known,
    percentiles,
    resample,
)
from echokit.evaluation.metric_names import ARGUED
from echokit.evaluation.rows import ApproachDifference, Interval
from echokit.voting.table import APPROACH, CLIP, PATIENT, SPLIT, TASK, VIEW, PredictionTable

Courses = Mapping[str, Float[np.ndarray, " draws"]]
"""Metric -> its value without resampling, followed by that of every resample."""


def paired(
    predictions: PredictionTable, classes: Mapping[str, Sequence[str]], bootstrap: int, seed: int
) -> list[ApproachDifference]:
    """Compute the `paired` rows of `metrics.json`: the differences of each pair of approaches.

    Patients are drawn with replacement, with all their predictions by both approaches, so that the
    difficulty of patients cancels in the difference. Every view and view set of both approaches is
    compared, and then the mean over all of them.

    Args:
        predictions: held-out predictions.
        classes: task -> label names, least severe first.
        bootstrap: number of resamples of the subjects for 95 % intervals; 0 for no intervals.
        seed: seed of the resampling.

    """
    rows = []
    for (task,), group in predictions.evaluated.groups(TASK):
        approaches = [str(name) for name in group.frame[APPROACH].unique()]
        for first, second in combinations(approaches, 2):
            both = _both(group, first, second)
            for views, compared, courses in _differences(both, classes[str(task)], bootstrap, seed):
                rows.append(
                    ApproachDifference(
                        task=str(task),
                        approaches=[first, second],
                        views=views,
                        n_subjects=compared.n_subjects,
                        f1=_interval(courses["f1"]),
                        balanced_accuracy=_interval(courses["balanced_accuracy"]),
                    )
                )
    return rows


def _both(
    group: PredictionTable, first: str, second: str
) -> tuple[PredictionTable, PredictionTable]:
    """Return the predictions that both approaches made, in the same order."""
    keys = [VIEW, SPLIT, PATIENT, CLIP]
    sides = [group.where(approach=name).frame for name in (first, second)]
    indexed = [side.assign(place=range(len(side))) for side in sides]
    pairs = indexed[0][[*keys, "place"]].merge(
        indexed[1][[*keys, "place"]], on=keys, suffixes=("_1", "_2"), validate="one_to_one"
    )
    of_first, of_second = (side.iloc[pairs[f"place_{n}"]] for n, side in enumerate(sides, start=1))
    return PredictionTable(of_first), PredictionTable(of_second)


def _differences(
    both: tuple[PredictionTable, PredictionTable],
    classes: Sequence[str],
    bootstrap: int,
    seed: int,
) -> Iterator[tuple[list[str], PredictionTable, Courses]]:
    """Yield views, the first approach's rows of them, and the course of each difference."""
    first = both[0]
    if not len(first):
        return
    drawn = resample(first.patients, bootstrap, seed)
    weights = np.vstack([np.ones((1, len(first)), np.int64), drawn])  # the first row: no resampling
    differences: dict[str, Courses] = {}
    for (views,), rows in first.groups(VIEW):
        in_view = (first.frame[VIEW] == views).to_numpy()
        minuend, subtrahend = (
            _courses(PredictionTable(side.frame[in_view]), classes, weights[:, in_view])
            for side in both
        )
        differences[str(views)] = {name: minuend[name] - subtrahend[name] for name in ARGUED}
        yield [str(views)], rows, differences[str(views)]
    if len(differences) > 1:
        mean = {
            name: mean_of_known([courses[name] for courses in differences.values()])
            for name in ARGUED
        }
        yield list(differences), first, mean


def _courses(
    rows: PredictionTable, classes: Sequence[str], weights: Int[np.ndarray, "draws n"]
) -> Courses:
    """Compute the mean over splits of each metric, for every weighting of the rows."""
    truth, predicted, split = rows.truth(classes), rows.predicted(classes), rows.split
    per_split = [
        confusion_metrics(truth[members], predicted[members], weights[:, members], len(classes))
        for members in (split == number for number in np.unique(split))
    ]
    return {name: mean_of_known([metrics[name] for metrics in per_split]) for name in ARGUED}


def _interval(course: Float[np.ndarray, " draws"]) -> Interval:
    """Return the value without resampling and the percentile interval over the resamples."""
    return Interval(mean=float(course[0]), ci95=percentiles(course[1:]))
