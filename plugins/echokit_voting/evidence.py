"""Rules that combine evidence and ranks: Dempster-Shafer and Borda."""

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

    def __post_init__(self) -> None:
        if not 0 < self.reliability < 1:
            raise OptionError(
                f"The aggregator 'dempster-shafer' was given reliability={self.reliability}: give "
                "a number between 0 and 1, say 0.9; at 1 two voters can contradict each other "
                "wholly, and nothing is left to combine."
            )

    def __call__(self, votes: Votes) -> Prediction:
        """Combine the voters' evidence.

        Raises:
            DataError: there are no voters, or their arrays do not fit together or are no numbers.
        """
        check_votes(votes)
        p = np.asarray(votes.probabilities, np.float64)
        p = p / p.sum(axis=1, keepdims=True)
        believed = self.reliability * confidences(votes)[:, None]
        # commonality of a label: product over voters of d p + 1 - d; of no label at all: of 1 - d
        shared = [fsum(np.log(column)) for column in (believed * p + (1 - believed)).T]
        ignorance = fsum(log1p(-d) for d in believed[:, 0])
        largest = max(shared)
        doubt = exp(ignorance - largest)
        mass = np.array([exp(value - largest) - doubt for value in shared]).clip(0)
        pignistic = (mass + doubt / len(mass)) / (fsum(mass) + doubt)
        return _win(votes, pignistic, pignistic)


def borda_vote(votes: Votes) -> Prediction:
    """Count points for ranks; see `echokit_voting.borda`.

    Raises:
        DataError: there are no voters, or their arrays do not fit together or are not numbers.
    """
    check_votes(votes)
    p = np.asarray(votes.probabilities, np.float64)
    below = (p[:, :, None] > p[:, None, :]).sum(axis=2)
    level = (p[:, :, None] == p[:, None, :]).sum(axis=2) - 1
    points = (below + level / 2).sum(axis=0)  # halves: exact in any order
    if len(points) == 1:
        return Prediction(votes.classes[0], 1.0, np.ones(1))
    return _win(votes, points / (len(p) * (len(points) - 1)), points / points.sum())


def _win(
    votes: Votes, confidence: Float64[np.ndarray, " K"], probabilities: Float64[np.ndarray, " K"]
) -> Prediction:
    """The label of the largest probability; tied, the one more voters chose, the more severe."""
    chosen = np.bincount(votes.labels, minlength=len(votes.classes))
    winner = max(
        range(len(probabilities)), key=lambda label: (probabilities[label], chosen[label], label)
    )
    return Prediction(votes.classes[winner], float(min(confidence[winner], 1.0)), probabilities)
