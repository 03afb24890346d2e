"""Compute the figures of `calibration.json`: calibration, coverage and label sets.

Means and deviations are over splits; curves, bins and label sets pool all splits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from echokit.evaluation import calibration as calibrate
from echokit.evaluation.conformal import enough_by_label, evaluate_sets, label_sets
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
"""Frequencies with which label sets should hold the true label."""
COVERAGES = (0.9, 0.8)
"""Shares of predictions to keep, for which the accuracy is listed."""


@dataclass(frozen=True, slots=True)
class LabelledPredictions:
    """Predictions with true labels, one row for each clip or patient and split."""

    split: Int[np.ndarray, " n"]
    truth: Int[np.ndarray, " n"]
    """Index of each row's true label."""
    probabilities: Float[np.ndarray, "n K"]

    def of_split(self, number: int) -> LabelledPredictions:
        """Return the rows of one split."""
        rows = self.split == number
        return LabelledPredictions(self.split[rows], self.truth[rows], self.probabilities[rows])

    def __len__(self) -> int:
        return len(self.truth)


def confidence_calibration(
    confidence: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    split: Int[np.ndarray, " n"],
    seed: int,
) -> ConfidenceFigures:
    """Measure the calibration of a confidence, and the accuracy against coverage.

    Args:
        confidence: confidence of a vote, or probability of the most probable label, in [0, 1].
        right: whether each prediction is correct.
        split: split in which each row was held out.
        seed: seed of the error by chance.

    Returns:
        `ece` (mean, sd, and `pooled` over all rows), `ece_by_chance` (for all rows),
        `reliability`, and `selective` as in `selective_figures`.
    """
    spread = over_splits(
        split, lambda rows: calibrate.expected_calibration_error(confidence[rows], right[rows])
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


def probability_calibration(rows: LabelledPredictions, seed: int) -> ProbabilityFigures:
    """Measure the calibration of class probabilities, also by `brier` and `nll`."""
    p, truth, split = rows.probabilities, rows.truth, rows.split
    return {
        **confidence_calibration(*calibrate.top_label(p, truth), split, seed),
        "brier": over_splits(split, lambda members: calibrate.brier(p[members], truth[members])),
        "nll": over_splits(
            split, lambda members: calibrate.negative_log_likelihood(p[members], truth[members])
        ),
    }


def selective_figures(
    confidence: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    split: Int[np.ndarray, " n"],
) -> SelectiveFigures:
    """Compute accuracy against coverage, its area, and the accuracy at `COVERAGES`."""
    curve = calibrate.selective(confidence, right)
    return {
        "coverage": curve.coverage.tolist(),
        "accuracy": curve.accuracy.tolist(),
        "aurc": over_splits(
            split, lambda rows: calibrate.selective(confidence[rows], right[rows]).aurc
        ),
        "error": curve.error,
        "at": {str(coverage): curve.at(coverage) for coverage in COVERAGES},
    }


def label_set_figures(
    held_out: LabelledPredictions, training: LabelledPredictions, classes: Sequence[str]
) -> list[LevelFigures] | None:
    """Make and evaluate label sets, calibrated for each split on its own training patients.

    Labels are calibrated separately in all splits or in none.

    Returns:
        A row for each level, where `n_calibration` is the smallest number of a split; None if a
        split has no training patients for calibration.
    """
    splits = np.unique(held_out.split).tolist()
    tests = [held_out.of_split(number) for number in splits]
    calibrations = [training.of_split(number) for number in splits]
    if not all(map(len, calibrations)):
        return None
    rows = []
    for level in LEVELS:
        by_label = all(enough_by_label(c.truth, len(classes), level) for c in calibrations)
        sets = [
            label_sets(known.probabilities, known.truth, test.probabilities, level, by_label)
            for known, test in zip(calibrations, tests, strict=True)
        ]
        truth = np.concatenate([test.truth for test in tests])
        rows.append(
            LevelFigures(
                level=level,
                by_label=by_label,
                n_calibration=min(map(len, calibrations)),
                **evaluate_sets(np.concatenate(sets), truth, classes),
            )
        )
    return rows


def over_splits(
    split: Int[np.ndarray, " n"], figure: Callable[[Bool[np.ndarray, " n"]], float]
) -> Spread:
    """Compute a figure on the rows of each split; return its mean and sd."""
    spread = mean_sd(figure(split == number) for number in np.unique(split))
    assert spread is not None, "every split has rows"
    return spread
