"""The figures of `calibration.json`: calibration, coverage and label sets over the splits.

Means and deviations are over splits; curves, bins and label sets are of all splits together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from echokit.evaluation import calibration as calibrate
from echokit.evaluation.conformal import enough_by_label, judge_sets, label_sets
from echokit.evaluation.rows import (
    Bin,
    ConfidenceFigures,
    LevelFigures,
    PooledSpread,
    ProbabilityFigures,
    SelectiveFigures,
    Spread,
)
from echokit.evaluation.summary import mean_sd

LEVELS = (0.9, 0.8)
"""How often label sets should hold the true label."""
COVERAGES = (0.9, 0.8)
"""Shares of the predictions that are kept, for the accuracy reached on them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Predictions and the truth, one row per clip or patient and split."""

    split: Int[np.ndarray, " n"]
    truth: Int[np.ndarray, " n"]
    """Index of each row's true label."""
    probabilities: Float[np.ndarray, "n K"]

    def of_split(self, number: int) -> Judged:
        """The rows of one split."""
        here = self.split == number
        return Judged(self.split[here], self.truth[here], self.probabilities[here])

    def __len__(self) -> int:
        return len(self.truth)


def trust_in_confidence(
    confidence: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    split: Int[np.ndarray, " n"],
    seed: int,
) -> ConfidenceFigures:
    """Calibration of a confidence, and what is right if only confident predictions are kept.

    Args:
        confidence: of a vote, or of the most probable label, in [0, 1].
        right: whether each prediction is the true label.
        split: the split each row was held out in.
        seed: of the error by chance.

    Returns:
        `ece` (mean, sd, and `pooled` over all rows), `ece_by_chance` (for all rows),
        `reliability`, and `selective` as in `selective_figures`.
    """
    spread = over_splits(
        split, lambda here: calibrate.expected_calibration_error(confidence[here], right[here])
    )
    pooled = calibrate.expected_calibration_error(confidence, right)
    return ConfidenceFigures(
        ece=PooledSpread(**spread, pooled=pooled),
        ece_by_chance=calibrate.error_by_chance(confidence, np.random.default_rng(seed)),
        reliability=[
            Bin(confidence=b.confidence, accuracy=b.accuracy, n=b.n)
            for b in calibrate.reliability(confidence, right)
        ],
        selective=selective_figures(confidence, right, split),
    )


def trust_in_probabilities(judged: Judged, seed: int) -> ProbabilityFigures:
    """Calibration of class probabilities: as `trust_in_confidence`, and `brier` and `nll`."""
    p, truth, split = judged.probabilities, judged.truth, judged.split
    return {
        **trust_in_confidence(*calibrate.top_label(p, truth), split, seed),
        "brier": over_splits(split, lambda here: calibrate.brier(p[here], truth[here])),
        "nll": over_splits(
            split, lambda here: calibrate.negative_log_likelihood(p[here], truth[here])
        ),
    }


def selective_figures(
    confidence: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    split: Int[np.ndarray, " n"],
) -> SelectiveFigures:
    """The curve of accuracy against coverage: `coverage`, `accuracy`, `aurc`, `error`, `at`."""
    curve = calibrate.selective(confidence, right)
    return {
        "coverage": curve.coverage.tolist(),
        "accuracy": curve.accuracy.tolist(),
        "aurc": over_splits(
            split, lambda here: calibrate.selective(confidence[here], right[here]).aurc
        ),
        "error": curve.error,
        "at": {str(coverage): curve.at(coverage) for coverage in COVERAGES},
    }


def trust_in_sets(
    held_out: Judged, training: Judged, classes: Sequence[str]
) -> list[LevelFigures] | None:
    """Label sets of held-out predictions, each split's calibrated on its own training patients.

    Whether labels are calibrated one by one is the same for all splits.

    Returns:
        For each level `level`, `by_label`, `n_calibration` (the fewest of a split) and what
        `judge_sets` gives; None where a split has nobody to calibrate on.
    """
    splits = np.unique(held_out.split).tolist()
    own = [held_out.of_split(number) for number in splits]
    fitted = [training.of_split(number) for number in splits]
    if not all(map(len, fitted)):
        return None
    rows = []
    for level in LEVELS:
        by_label = all(enough_by_label(one.truth, len(classes), level) for one in fitted)
        sets = [
            label_sets(known.probabilities, known.truth, new.probabilities, level, by_label)
            for known, new in zip(fitted, own, strict=True)
        ]
        truth = np.concatenate([new.truth for new in own])
        rows.append(
            LevelFigures(
                level=level,
                by_label=by_label,
                n_calibration=min(map(len, fitted)),
                **judge_sets(np.concatenate(sets), truth, classes),
            )
        )
    return rows


def over_splits(
    split: Int[np.ndarray, " n"], figure: Callable[[Bool[np.ndarray, " n"]], float]
) -> Spread:
    """Compute mean and sd of a figure that is computed on the rows of each split."""
    spread = mean_sd(figure(split == number) for number in np.unique(split))
    assert spread is not None, "every split has rows"
    return spread
