"""Rules that pool what voters say of every class, and the one that trusts the surest voter."""

from __future__ import annotations

from math import fsum

import numpy as np
from jaxtyping import Float64

from echokit import Prediction, Votes
from echokit_voting.checks import check_votes


def mean_vote(votes: Votes) -> Prediction:
    """Pool the voters' probabilities, each voter alike; see `echokit_voting.mean_probability`.

    Raises:
        DataError: there are no voters, or their arrays do not fit together or are not numbers.
    """
    check_votes(votes)
    return pool(votes, np.ones(len(votes.voters)))


def weighted_vote(votes: Votes) -> Prediction:
    """Pool them, each weighing its confidence; see `echokit_voting.confidence_weighted`.

    Raises:
        DataError: there are no voters, or their arrays do not fit together or are not numbers.
    """
    check_votes(votes)
    return pool(votes, confidences(votes))


def surest_vote(votes: Votes) -> Prediction:
    """Return what the surest voter says; see `echokit_voting.max_confidence`.

    Raises:
        DataError: there are no voters, or their arrays do not fit together or are not numbers.
    """
    check_votes(votes)
    probabilities = np.asarray(votes.probabilities, np.float64)
    sure = confidences(votes)
    surest = max(
        range(len(sure)),
        key=lambda i: (
            sure[i],
            probabilities[i, votes.labels[i]],
            votes.labels[i],
            tuple(probabilities[i]),
        ),
    )
    mine = probabilities[surest]
    return Prediction(votes.classes[votes.labels[surest]], float(sure[surest]), mine / fsum(mine))


def confidences(votes: Votes) -> Float64[np.ndarray, " n"]:
    """The voters' confidences; the largest probability of each where they carry none."""
    if votes.confidences is None:
        largest: Float64[np.ndarray, " n"] = np.asarray(votes.probabilities, np.float64).max(axis=1)
        return largest
    return np.asarray(votes.confidences, np.float64)


def pool(votes: Votes, weights: Float64[np.ndarray, " n"]) -> Prediction:
    """The weighted mean of the voters' probabilities, and the label it makes most probable.

    A tie goes to the tied label that more voters chose, then to the more severe.

    Args:
        votes: n voters, checked.
        weights: of each voter, at least 0, some above.

    Returns:
        The label, its pooled probability as confidence, and the pooled probabilities (float64).
    """
    terms = np.asarray(votes.probabilities, np.float64) * weights[:, None]
    sums = [fsum(column) for column in terms.T]  # exact, so the order of voters is nothing
    chosen = np.bincount(votes.labels, minlength=len(votes.classes))
    winner = max(range(len(sums)), key=lambda label: (sums[label], chosen[label], label))
    pooled = np.array(sums) / fsum(sums)
    return Prediction(votes.classes[winner], float(min(pooled[winner], 1.0)), pooled)
