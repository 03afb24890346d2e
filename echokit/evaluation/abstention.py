"""Measure what a rule for abstaining leaves out: coverage, accuracy of the rest, and reasons."""

from __future__ import annotations

from collections import Counter

import numpy as np
from jaxtyping import Bool, Float, Int

from echokit.evaluation.bootstrap import mean_of_known, resample
from echokit.evaluation.rows import AbstentionFigures, Figure
from echokit.evaluation.summary import mean_sd
from echokit.voting.table import PredictionTable


def abstention_figures(group: PredictionTable, bootstrap: int, seed: int) -> AbstentionFigures:
    """Compute coverage and accuracy with abstaining (selective accuracy) of one set of views.

    Args:
        group: held-out predictions of subjects.
        bootstrap: number of resamples of the subjects for 95 % intervals; 0 for no intervals.
        seed: seed of the resampling.
    """
    reasons = group.abstained
    judged, right = reasons == "", group.correct
    everyone = np.ones(len(group), bool)
    weights = resample(group.patients, bootstrap, seed) if bootstrap else None

    def share(of: Bool[np.ndarray, " n"], among: Bool[np.ndarray, " n"]) -> Figure | None:
        return _share(of & among, among, group.split, weights)

    coverage, accuracy_of_all = share(judged, everyone), share(right, everyone)
    assert coverage is not None, "a group has rows"
    assert accuracy_of_all is not None, "a group has rows"
    return AbstentionFigures(
        coverage=coverage,
        accuracy=share(right, judged),
        accuracy_of_all=accuracy_of_all,
        reasons=dict(sorted(Counter(reasons[~judged].tolist()).items())),
    )


def _share(
    of: Bool[np.ndarray, " n"],
    among: Bool[np.ndarray, " n"],
    split: Int[np.ndarray, " n"],
    weights: Int[np.ndarray, "draws n"] | None,
) -> Figure | None:
    """Compute a share in each split: mean, sd, and interval; None if no split defines it."""
    rows_of_splits = [split == number for number in np.unique(split)]

    def per_split(weights: Int[np.ndarray, "draws n"]) -> list[Float[np.ndarray, " draws"]]:
        return [_ratio(weights[:, r] @ of[r], weights[:, r] @ among[r]) for r in rows_of_splits]

    spread = mean_sd(float(value) for (value,) in per_split(np.ones((1, len(of)), int)))
    if spread is None:
        return None
    interval = None
    if weights is not None:
        means = mean_of_known(per_split(weights))
        known = means[~np.isnan(means)]
        interval = np.quantile(known, [0.025, 0.975]).tolist() if known.size else None
    return Figure(**spread, ci95=interval)


def _ratio(
    numerator: Int[np.ndarray, " draws"], denominator: Int[np.ndarray, " draws"]
) -> Float[np.ndarray, " draws"]:
    """Divide; NaN where the denominator is 0."""
    return np.where(denominator > 0, numerator / np.maximum(denominator, 1), np.nan)
