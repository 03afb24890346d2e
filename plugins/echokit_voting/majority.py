"""The rule `majority-vote`, for voters with and without confidences."""

from __future__ import annotations

from math import fsum

import numpy as np
from jaxtyping import Float64

from echokit import Prediction, Votes
from echokit_voting.checks import check_votes


def vote(votes: Votes) -> Prediction:
    """Return the label that most voters chose; see `echokit_voting.majority_vote`.

    Args:
        votes: n voters, n >= 1.

    Returns:
        The label, its confidence in (0, 1] and the class probabilities (float64).

    Raises:
        DataError: there are no voters, or their arrays do not fit together or are not numbers.
    """
    check_votes(votes)
    # float64 holds a float32 exactly, and fsum is exact whatever the order of the voters
    probabilities = np.asarray(votes.probabilities, dtype=np.float64)
    if votes.confidences is None:
        return _vote_of_sequences(votes, probabilities)
    return _vote_of_views(votes, probabilities, np.asarray(votes.confidences, dtype=np.float64))


def _vote_of_sequences(votes: Votes, probabilities: Float64[np.ndarray, "n K"]) -> Prediction:
    n = len(votes.labels)
    sums = [fsum(column) for column in probabilities.T]
    winner = max(_most_chosen(votes), key=lambda label: (sums[label], label))
    return Prediction(
        label=votes.classes[winner],
        confidence=int((votes.labels == winner).sum()) / n,
        probabilities=np.array(sums) / n,
    )


def _vote_of_views(
    votes: Votes, probabilities: Float64[np.ndarray, "n K"], confidences: Float64[np.ndarray, " n"]
) -> Prediction:
    winner = max(
        _most_chosen(votes),
        key=lambda label: (fsum(confidences[votes.labels == label]), label),
    )
    agreeing = np.flatnonzero(votes.labels == winner)
    surest = max(
        agreeing,
        # the last key only fixes the choice between equal voters, whatever their order
        key=lambda i: (confidences[i], probabilities[i, winner], tuple(probabilities[i])),
    )
    return Prediction(
        label=votes.classes[winner],
        confidence=fsum(confidences[agreeing]) / len(agreeing),
        probabilities=probabilities[surest].copy(),
    )


def _most_chosen(votes: Votes) -> list[int]:
    """List the label with most voters, or all labels that are tied."""
    counts = np.bincount(votes.labels, minlength=len(votes.classes))
    return [int(label) for label in np.flatnonzero(counts == counts.max())]
