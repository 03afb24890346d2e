"""By how much one approach leads another where both judged the same clips of the same patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from echokit.evaluation.bootstrap import confusion_metrics, mean_of_known, resample
from echokit.evaluation.metric_names import ARGUED

ROW = ["split", "patient", "clip"]
"""What tells one prediction of an approach and view from another."""

Courses = Mapping[str, Float[np.ndarray, " draws"]]
"""Metric -> its value on the subjects as they are, and then in every resample."""


def paired(
    predictions: pd.DataFrame, classes: Mapping[str, Sequence[str]], bootstrap: int, seed: int
) -> list[dict[str, Any]]:
    """The `paired` entries of `metrics.json`: approaches held against each other, row by row.

    Patients are drawn with replacement, with all that both approaches said of them in any view, so
    that what is hard for both drops out of the difference. Nothing is chosen: every view and view
    set that both approaches have is compared, and then the mean over them all.

    Args:
        predictions: the rows of `predictions.parquet`.
        classes: task -> label names, least severe first.
        bootstrap: resamples of the subjects for the 95 % intervals; 0 for none.
        seed: of the resampling.

    Returns:
        `task`, `approaches` (two: the first minus the second), `views` (one, or all of which it is
        the mean), `n_subjects`, and metric -> {mean, ci95}.
    """
    judged = predictions[predictions["level"].isin(["view", "subject"])]
    found = []
    for task, group in judged.groupby("task", sort=False, observed=True):
        approaches = [str(name) for name in group["approach"].unique()]
        for first, second in combinations(approaches, 2):
            both = _both(group, first, second)
            place = {"task": str(task), "approaches": [first, second]}
            rows = _differences(both, classes[str(task)], bootstrap, seed)
            found += [place | row for row in rows]
    return found


def _both(group: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """What both approaches judged, a row for each prediction: `predicted_1` and `predicted_2`."""
    keys = ["view", *ROW]
    sides = [group[group["approach"] == name] for name in (first, second)]
    columns = [*keys, "label", "predicted"]
    return sides[0][columns].merge(
        sides[1][[*keys, "predicted"]], on=keys, suffixes=("_1", "_2"), validate="one_to_one"
    )


def _differences(
    both: pd.DataFrame, classes: Sequence[str], bootstrap: int, seed: int
) -> Iterator[dict[str, Any]]:
    if both.empty:
        return
    drawn = resample(both["patient"].to_numpy(str), bootstrap, seed)
    weights = np.vstack([np.ones((1, len(both)), np.int64), drawn])
    above: dict[str, Courses] = {}
    for views in both["view"].unique():
        here = (both["view"] == views).to_numpy()
        own = both[here]
        first, second = (_courses(own, side, classes, weights[:, here]) for side in (1, 2))
        above[str(views)] = {metric: first[metric] - second[metric] for metric in ARGUED}
        yield _row([str(views)], own, above[str(views)])
    if len(above) > 1:
        mean = {metric: mean_of_known([one[metric] for one in above.values()]) for metric in ARGUED}
        yield _row(list(above), both, mean)


def _courses(
    rows: pd.DataFrame, side: int, classes: Sequence[str], weights: Int[np.ndarray, "draws n"]
) -> Courses:
    """The mean over splits of each metric, for every weighting of the rows."""
    index = {name: i for i, name in enumerate(classes)}
    truth = rows["label"].map(index).to_numpy(int)
    predicted = rows[f"predicted_{side}"].map(index).to_numpy(int)
    split = rows["split"].to_numpy(int)
    of_splits = [
        confusion_metrics(truth[here], predicted[here], weights[:, here], len(classes))
        for here in (split == number for number in np.unique(split))
    ]
    return {metric: mean_of_known([one[metric] for one in of_splits]) for metric in ARGUED}


def _row(views: list[str], rows: pd.DataFrame, above: Courses) -> dict[str, Any]:
    return {
        "views": views,
        "n_subjects": int(rows["patient"].nunique()),
        **{metric: _figure(course) for metric, course in above.items()},
    }


def _figure(course: Float[np.ndarray, " draws"]) -> dict[str, Any]:
    drawn = course[1:][~np.isnan(course[1:])]
    ends = np.quantile(drawn, [0.025, 0.975]).tolist() if drawn.size else None
    return {"mean": float(course[0]), "ci95": ends}
