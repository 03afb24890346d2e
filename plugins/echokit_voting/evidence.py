"""The rules `dempster-shafer`, which combines evidence, and `borda`, which counts ranks."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, fsum, log1p

import numpy as np
from jaxtyping import Float64

from echokit import OptionError, Prediction, Votes
from echokit_voting.checks import check_votes
from echokit_voting.pooling import confidences


@dataclass(frozen=True, slots=True)
class DempsterShafer:
    """The rule; see `echokit_voting.dempster_shafer`."""

    reliability: float = 0.9
    """Largest reliability of a voter, between 0 and 1."""

    def __post_init__(self) -> None:
        if not 0 < self.reliability < 1:
            raise OptionError(
                f"The aggregator 'dempster-shafer' was given reliability={self.reliability}: give "
                "a number between 0 and 1, such as 0.9; at 1 two voters can contradict each other "
                "completely, and their evidence cannot be combined."
            )

    def __call__(self, votes: Votes) -> Prediction:
        """Combine the voters' evidence.

        Raises:
            DataError: there are no voters, or their arrays do not fit together or are not numbers.
        """
        check_votes(votes)
        p = np.asarray(votes.probabilities, np.float64)
        p = p / p.sum(axis=1, keepdims=True)
        reliability = self.reliability * confidences(votes)[:, None]
        # a label's commonality is the product over voters of d p + 1 - d; that of "any label" is
        # the product of 1 - d; both in logarithms, so that many voters do not underflow
        commonality = [fsum(np.log(column)) for column in (reliability * p + (1 - reliability)).T]
        ignorance = fsum(log1p(-d) for d in reliability[:, 0])
        largest = max(commonality)
        any_label = exp(ignorance - largest)
        mass = np.array([exp(value - largest) - any_label for value in commonality]).clip(0)
        pignistic = (mass + any_label / len(mass)) / (fsum(mass) + any_label)
        return _win(votes, pignistic, pignistic)


def borda_vote(votes: Votes) -> Prediction:
    """Count points for the ranks of labels; see `echokit_voting.borda`.

    Raises:
        DataError: there are no voters, or their arrays do not fit together or are not numbers.
    """
    check_votes(votes)
    p = np.asarray(votes.probabilities, np.float64)
    below = (p[:, :, None] > p[:, None, :]).sum(axis=2)
    equal = (p[:, :, None] == p[:, None, :]).sum(axis=2) - 1
    points = (below + equal / 2).sum(axis=0)  # sums of halves are exact in any order
    if len(points) == 1:
        return Prediction(votes.classes[0], 1.0, np.ones(1))
    return _win(votes, points / (len(p) * (len(points) - 1)), points / points.sum())


def _win(
    votes: Votes, confidence: Float64[np.ndarray, " K"], probabilities: Float64[np.ndarray, " K"]
) -> Prediction:
    """Return the label of the largest probability; a tie goes to more voters, then severity."""
    chosen = np.bincount(votes.labels, minlength=len(votes.classes))
    winner = max(
        range(len(probabilities)), key=lambda label: (probabilities[label], chosen[label], label)
    )
    return Prediction(votes.classes[winner], float(min(confidence[winner], 1.0)), probabilities)
