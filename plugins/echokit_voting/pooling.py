"""Rules that pool the voters' probabilities, and the rule that takes the most confident voter."""

from __future__ import annotations

from math import fsum

import numpy as np
from jaxtyping import Float64

from echokit import Prediction, Votes
from echokit_voting.checks import check_votes


def mean_vote(votes: Votes) -> Prediction:
    """Pool the probabilities with equal weights; see `echokit_voting.mean_probability`.

    Raises:
        DataError: there are no voters, or their arrays do not fit together or are not numbers.
    """
    check_votes(votes)
    return pool(votes, np.ones(len(votes.voters)))


def weighted_vote(votes: Votes) -> Prediction:
    """Pool the probabilities by confidence; see `echokit_voting.confidence_weighted`.

    Raises:
        DataError: there are no voters, or their arrays do not fit together or are not numbers.
    """
    check_votes(votes)
    return pool(votes, confidences(votes))


def surest_vote(votes: Votes) -> Prediction:
    """Return the prediction of the most confident voter; see `echokit_voting.max_confidence`.

    Raises:
        DataError: there are no voters, or their arrays do not fit together or are not numbers.
    """
    check_votes(votes)
    probabilities = np.asarray(votes.probabilities, np.float64)
    confident = confidences(votes)
    surest = max(
        range(len(confident)),
        key=lambda i: (
            confident[i],
            probabilities[i, votes.labels[i]],
            votes.labels[i],
            tuple(probabilities[i]),
        ),
    )
    label = votes.classes[votes.labels[surest]]
    row = probabilities[surest]
    return Prediction(label, float(confident[surest]), row / fsum(row))


def confidences(votes: Votes) -> Float64[np.ndarray, " n"]:
    """Return the voters' confidences, or their largest probabilities if they have none."""
    if votes.confidences is None:
        largest: Float64[np.ndarray, " n"] = np.asarray(votes.probabilities, np.float64).max(axis=1)
        return largest
    return np.asarray(votes.confidences, np.float64)


def pool(votes: Votes, weights: Float64[np.ndarray, " n"]) -> Prediction:
    """Average the voters' probabilities by weight, and choose the most probable label.

    A tie goes to the tied label that more voters chose, then to the more severe.

    Args:
        votes: n voters, checked.
        weights: weight of each voter, at least 0, and not all 0.

    Returns:
        The label, its pooled probability as confidence, and the pooled probabilities (float64).
    """
    terms = np.asarray(votes.probabilities, np.float64) * weights[:, None]
    sums = [fsum(column) for column in terms.T]  # exact, so the order of voters does not matter
    chosen = np.bincount(votes.labels, minlength=len(votes.classes))
    winner = max(range(len(sums)), key=lambda label: (sums[label], chosen[label], label))
    pooled = np.array(sums) / fsum(sums)
    return Prediction(votes.classes[winner], float(min(pooled[winner], 1.0)), pooled)
