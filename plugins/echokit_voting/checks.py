"""Check of votes before they are counted."""

from __future__ import annotations

import numpy as np

from echokit import DataError, Votes

SUM_TOLERANCE = 1e-3
"""Largest deviation of a voter's sum of probabilities from 1; a float16 softmax is within it."""


def check_votes(votes: Votes) -> None:
    """Check that the arrays of `votes` fit together and have valid values.

    Raises:
        DataError: a field is invalid; the message names it.
    """
    n, k = len(votes.voters), len(votes.classes)
    if n == 0:
        raise DataError("There are no voters: give at least one.")
    labels, probabilities = np.asarray(votes.labels), np.asarray(votes.probabilities)
    _check_shape("labels", labels, (n,), f"one for each of {n} voters")
    _check_shape("probabilities", probabilities, (n, k), f"{n} voters by {k} classes")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"Labels are {labels.dtype}: give whole numbers, indices into `classes`.")
    if not ((labels >= 0) & (labels < k)).all():
        raise DataError(f"Labels {labels.tolist()} are not within 0 to {k - 1}: `classes` has {k}.")
    _check_range("probabilities", probabilities, probabilities >= 0.0, "[0, 1]")
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if (abs(sums - 1) > SUM_TOLERANCE).any():
        raise DataError(
            f"Probabilities of a voter sum to {sums[abs(sums - 1).argmax()]:.4g}: "
            "give a softmax, which sums to 1."
        )
    if votes.confidences is not None:
        confidences = np.asarray(votes.confidences)
        _check_shape("confidences", confidences, (n,), f"one for each of {n} voters")
        _check_range("confidences", confidences, confidences > 0.0, "(0, 1]")


def _check_shape(name: str, array: np.ndarray, shape: tuple[int, ...], meaning: str) -> None:
    if array.shape != shape:
        raise DataError(
            f"Votes have {name} of shape {array.shape}: they must be {shape}, {meaning}."
        )


def _check_range(name: str, array: np.ndarray, above: np.ndarray, interval: str) -> None:
    if not (above & (array <= 1.0)).all():  # NaN fails both comparisons
        raise DataError(f"Votes have {name} outside {interval} or not a number: {array.tolist()}.")
