"""Make label sets that hold the true label with a chosen frequency: split conformal prediction.

The score of a label is 1 - p(label). A label is left out of a set if its score is higher than
nearly all scores of true labels among calibration patients, from whom the network did not learn
(Vovk et al. 2005, doi:10.1007/b106715; Angelopoulos and Bates 2023, doi:10.1561/2200000101).

The guarantee assumes that calibration and held-out patients are scored alike. Here calibration
patients are scored by inner networks, which learned from fewer patients than the network that
scores held-out patients, and a patient may have several clips of a view. The chosen frequency is
therefore reached only approximately, and the measured frequency must be shown beside it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from echokit.evaluation.rows import SetFigures


def label_sets(
    calibration: Float[np.ndarray, "n K"],
    truth: Int[np.ndarray, " n"],
    probabilities: Float[np.ndarray, "m K"],
    level: float,
    by_label: bool = False,
) -> Bool[np.ndarray, "m K"]:
    """Make the label set of each prediction.

    Args:
        calibration: class probabilities of training patients, by networks that did not learn from
            them.
        truth: index of each calibration patient's true label.
        probabilities: class probabilities of the predictions that get sets. Their true labels are
            not used.
        level: frequency with which a set should hold the true label, in (0, 1).
        by_label: compare the score of each label with those of calibration patients of that label
            only (Mondrian, or label-conditional), so that sets hold rare labels as often as
            frequent ones; see `enough_by_label`.

    Returns:
        True for labels in the set. With fewer than `1 / (1 - level) - 1` calibration patients,
        every label is in every set.
    """
    with warnings.catch_warnings():  # crepes changes the warning filters when it is imported
        from crepes import ConformalClassifier

    of_truth = 1 - calibration[np.arange(len(truth)), truth]  # (n,)
    scores = 1 - probabilities  # (m, K)
    columns = []
    for label in range(probabilities.shape[1]):
        reference = of_truth[truth == label] if by_label else of_truth
        classifier = ConformalClassifier().fit(reference)
        columns.append(
            classifier.predict_set(scores[:, [label]], confidence=level, smoothing=False)
        )
    return np.hstack(columns).astype(bool)


def enough_by_label(truth: Int[np.ndarray, " n"], classes: int, level: float) -> bool:
    """Return True if every label has at least `2 / (1 - level)` predictions for calibration.

    At level 0.9 these are 20, twice as many as are needed to leave a label out at all.
    """
    return int(np.bincount(truth, minlength=classes).min()) >= math.ceil(2 / (1 - level) - 1e-9)


def evaluate_sets(
    sets: Bool[np.ndarray, "m K"], truth: Int[np.ndarray, " m"], classes: Sequence[str]
) -> SetFigures:
    """Evaluate label sets: how often they hold the true label, and how large they are.

    Args:
        sets: label sets of held-out predictions, one or more.
        truth: index of each prediction's true label.
        classes: label names.

    Returns:
        `coverage`; `coverage_by_label` (label -> share, None for a label that does not occur);
        `size`, the mean number of labels; `single` and `empty`, shares of sets with one label and
        with none; `single_right`, the share of correct sets of one label, or None.
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
    """Compute the share of True; None without rows."""
    return float(held.mean()) if held.size else None
