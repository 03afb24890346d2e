"""By how much one approach leads another where both judged the same clips of the same patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from echokit.evaluation.bootstrap import confusion_metrics, mean_of_known, resample
from echokit.evaluation.metric_names import ARGUED
from echokit.evaluation.rows import ApproachDifference, Interval
from echokit.voting.table import APPROACH, CLIP, PATIENT, SPLIT, TASK, VIEW, PredictionTable

Courses = Mapping[str, Float[np.ndarray, " draws"]]
"""Metric -> its value on the subjects as they are, and then in every resample."""


def paired(
    predictions: PredictionTable, classes: Mapping[str, Sequence[str]], bootstrap: int, seed: int
) -> list[ApproachDifference]:
    """The `paired` entries of `metrics.json`: approaches held against each other, row by row.

    Patients are drawn with replacement, with all that both approaches said of them in any view, so
    that what is hard for both drops out of the difference. Nothing is chosen: every view and view
    set that both approaches have is compared, and then the mean over them all.

    Args:
        predictions: held-out predictions.
        classes: task -> label names, least severe first.
        bootstrap: resamples of the subjects for the 95 % intervals; 0 for none.
        seed: of the resampling.

    Returns:
        `task`, `approaches` (two: the first minus the second), `views` (one, or all of which it is
        the mean), `n_subjects`, and metric -> {mean, ci95}.
    """
    found = []
    for (task,), group in predictions.evaluated.groups(TASK):
        approaches = [str(name) for name in group.frame[APPROACH].unique()]
        for first, second in combinations(approaches, 2):
            both = _both(group, first, second)
            for views, rows, courses in _differences(both, classes[str(task)], bootstrap, seed):
                found.append(
                    ApproachDifference(
                        task=str(task),
                        approaches=[first, second],
                        views=views,
                        n_subjects=rows.n_subjects,
                        f1=_interval(courses["f1"]),
                        balanced_accuracy=_interval(courses["balanced_accuracy"]),
                    )
                )
    return found


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
    one, two = (side.iloc[pairs[f"place_{n}"]] for n, side in enumerate(sides, start=1))
    return PredictionTable(one), PredictionTable(two)


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
    weights = np.vstack([np.ones((1, len(first)), np.int64), drawn])  # first: nobody resampled
    differences: dict[str, Courses] = {}
    for (views,), rows in first.groups(VIEW):
        here = (first.frame[VIEW] == views).to_numpy()
        minuend, subtrahend = (
            _courses(PredictionTable(side.frame[here]), classes, weights[:, here]) for side in both
        )
        differences[str(views)] = {name: minuend[name] - subtrahend[name] for name in ARGUED}
        yield [str(views)], rows, differences[str(views)]
    if len(differences) > 1:
        mean = {name: mean_of_known([one[name] for one in differences.values()]) for name in ARGUED}
        yield list(differences), first, mean


def _courses(
    rows: PredictionTable, classes: Sequence[str], weights: Int[np.ndarray, "draws n"]
) -> Courses:
    """Compute the mean over splits of each metric, for every weighting of the rows."""
    truth, predicted, split = rows.truth(classes), rows.predicted(classes), rows.split
    of_splits = [
        confusion_metrics(truth[here], predicted[here], weights[:, here], len(classes))
        for here in (split == number for number in np.unique(split))
    ]
    return {metric: mean_of_known([one[metric] for one in of_splits]) for metric in ARGUED}


def _interval(course: Float[np.ndarray, " draws"]) -> Interval:
    drawn = course[1:][~np.isnan(course[1:])]
    ends = np.quantile(drawn, [0.025, 0.975]).tolist() if drawn.size else None
    return Interval(mean=float(course[0]), ci95=ends)
