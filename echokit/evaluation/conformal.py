"""Sets of labels that hold the true one with a chosen frequency: split conformal prediction.

A label's score is 1 - p(label). A label is left out of a set if its score is higher than nearly
all scores that true labels have got among calibrating patients, whom no judging network learned
from (Vovk et al. 2005, doi:10.1007/b106715; Angelopoulos and Bates 2023, doi:10.1561/2200000101).

The guarantee asks that calibrating and held-out patients are scored alike. Here calibrating
patients are scored by inner networks that learned from fewer patients than the network that
scores the held-out ones, and a patient may bring several clips of a view. So the chosen frequency
is reached approximately, and the frequency that was reached has to stand beside it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int


def label_sets(
    calibration: Float[np.ndarray, "n K"],
    truth: Int[np.ndarray, " n"],
    probabilities: Float[np.ndarray, "m K"],
    level: float,
    by_label: bool = False,
) -> Bool[np.ndarray, "m K"]:
    """Which labels are in the set of each prediction.

    Args:
        calibration: class probabilities of training patients, by networks that did not learn from
            them.
        truth: index of each one's true label.
        probabilities: class probabilities of the predictions that get sets. Their true labels are
            not asked for.
        level: how often a set should hold the true label, in (0, 1).
        by_label: hold each label's score against those of calibrating patients of that label only
            (Mondrian, or label-conditional), so that rare labels are held as often as frequent
            ones; see `enough_by_label`.

    Returns:
        True where a label is in the set. With fewer than `1 / (1 - level) - 1` to calibrate on,
        every label is in every set.
    """
    with warnings.catch_warnings():  # importing it changes the filter of warnings for good
        from crepes import ConformalClassifier

    own = 1 - calibration[np.arange(len(truth)), truth]  # (n,)
    scores = 1 - probabilities  # (m, K)
    columns = []
    for label in range(probabilities.shape[1]):
        among = own[truth == label] if by_label else own
        classifier = ConformalClassifier().fit(among)
        columns.append(
            classifier.predict_set(scores[:, [label]], confidence=level, smoothing=False)
        )
    return np.hstack(columns).astype(bool)


def enough_by_label(truth: Int[np.ndarray, " n"], classes: int, level: float) -> bool:
    """Whether every label has enough to calibrate on by itself: `2 / (1 - level)` predictions.

    That is 20 for sets at 0.9: twice as many as let a label be left out at all.
    """
    return int(np.bincount(truth, minlength=classes).min()) >= math.ceil(2 / (1 - level) - 1e-9)


def judge_sets(
    sets: Bool[np.ndarray, "m K"], truth: Int[np.ndarray, " m"], classes: Sequence[str]
) -> dict[str, Any]:
    """How often sets hold the true label, and how much they leave open.

    Args:
        sets: of held-out predictions, one or more.
        truth: index of each one's true label.
        classes: label names.

    Returns:
        `coverage`; `coverage_by_label` (label -> share, None for a label that nobody bears);
        `size`, the mean number of labels; `single` and `empty`, shares of sets with one label and
        with none; `single_right`, the share of sets of one label that is right, or None.
    """
    held, size = sets[np.arange(len(truth)), truth], sets.sum(axis=1)
    return {
        "coverage": float(held.mean()),
        "coverage_by_label": {
            label: _share(held[truth == index]) for index, label in enumerate(classes)
        },
        "size": float(size.mean()),
        "single": float((size == 1).mean()),
        "single_right": _share(held[size == 1]),
        "empty": float((size == 0).mean()),
    }


def _share(held: Bool[np.ndarray, " k"]) -> float | None:
    return float(held.mean()) if held.size else None
