"""Tell whether a network learned anything, from its training patients alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

ERRORS = 3.0
"""Standard errors by which the balanced accuracy must exceed that of guessing."""
SHARE_OF_GUESS = 0.97
"""Largest loss of the last epoch, as a share of the loss of guessing."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a network reaches on clips of its own training patients, beside guessing."""

    balanced_accuracy: float
    """Mean of the labels' recalls, in [0, 1]."""
    needed: float
    """What it must exceed: guessing and three standard errors."""
    never_predicted: tuple[str, ...]
    """Labels of training clips that the network gives to no clip."""
    loss: float
    """Mean loss of the last epoch."""
    guess_loss: float
    """Loss of a network that always predicts the shares of the labels."""

    @property
    def reason(self) -> str:
        """Why the network counts as one that did not learn; empty if it learned."""
        if not self.loss < SHARE_OF_GUESS * self.guess_loss:
            return f"its loss is {self.loss:.2f}, and that of guessing {self.guess_loss:.2f}"
        if self.never_predicted:
            return f"it never predicts {' or '.join(self.never_predicted)}"
        if not self.balanced_accuracy > self.needed:
            return (
                f"its balanced accuracy on its own training clips is {self.balanced_accuracy:.2f}, "
                f"where guessing reaches up to {self.needed:.2f}"
            )
        return ""

    def row(self) -> dict[str, Any]:
        """Return the figures and the reason as JSON values."""
        return {**asdict(self), "reason": self.reason}


def beyond_guessing(counts: Int[np.ndarray, " K"]) -> float:
    """Compute the balanced accuracy that guessing rarely exceeds.

    It is 1/K plus three standard errors, the errors of K recalls of which each is a share of
    `counts` clips, and at most midway between guessing and perfection, for cohorts so small that no
    figure would tell.

    Args:
        counts: number of clips of each label, none of them 0.
    """
    labels = len(counts)
    error = np.sqrt((1 / labels) * (1 - 1 / labels) * np.sum(1 / counts)) / labels
    return float(min(1 / labels + ERRORS * error, 0.5 * (1 + 1 / labels)))


def judge_learning(
    confusion: Int[np.ndarray, "K K"], classes: tuple[str, ...], loss: float, guess_loss: float
) -> Learned:
    """Tell from a confusion matrix of training clips whether a network learned.

    Args:
        confusion: number of clips by label (row) and prediction (column).
        classes: names of the labels.
        loss: mean loss of the last epoch.
        guess_loss: loss of guessing.
    """
    counts = confusion.sum(1)
    there = counts > 0
    recalls = confusion.diagonal()[there] / counts[there]
    missing = there & (confusion.sum(0) == 0)
    return Learned(
        balanced_accuracy=float(recalls.mean()),
        needed=beyond_guessing(counts[there]),
        never_predicted=tuple(
            name for name, gone in zip(classes, missing.tolist(), strict=True) if gone
        ),
        loss=loss,
        guess_loss=guess_loss,
    )
