"""The rule `majority-vote`, for voters with and without confidences."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import fsum
from typing import Literal

import numpy as np
from jaxtyping import Float64

from echokit import Prediction, Votes
from echokit_voting.checks import check_votes

Tie = Literal["sum", "most-confident"]
Strength = Callable[[int], tuple[Fraction, ...]]
"""Index of a label -> what decides a tie, the most important number first."""

MOST_VOTERS = 10_000
"""Largest n for which a confidence is recognised as a share m / n of voters.

Different shares of so few voters are at least 1e-8 apart, and float64 tells them apart."""


@dataclass(frozen=True, slots=True)
class MajorityVote:
    """Chooses the label that most voters chose; see `echokit_voting.majority_vote`."""

    tie: Tie
    """How a tie is decided."""

    def __call__(self, votes: Votes) -> Prediction:
        """Count the votes of n voters, n >= 1.

        Returns:
            The label, its confidence in (0, 1] and the class probabilities (float64).

        Raises:
            DataError: there are no voters, or their arrays do not fit together or are not numbers.
        """
        check_votes(votes)
        # float64 holds a float32 exactly
        probabilities = np.asarray(votes.probabilities, dtype=np.float64)
        if votes.confidences is None:
            return self._vote_of_sequences(votes, probabilities)
        confidences = np.asarray(votes.confidences, dtype=np.float64)
        return self._vote_of_views(votes, probabilities, confidences)

    def _vote_of_sequences(
        self, votes: Votes, probabilities: Float64[np.ndarray, "n K"]
    ) -> Prediction:
        def strength(label: int) -> tuple[Fraction, ...]:
            total = sum(map(Fraction, probabilities[:, label].tolist()), Fraction(0))
            return self._of(total, map(Fraction, probabilities[votes.labels == label, label]))

        n, winner = len(votes.labels), _winner(votes, strength)
        return Prediction(
            label=votes.classes[winner],
            confidence=int((votes.labels == winner).sum()) / n,
            # fsum rounds once, so the order of the voters does not matter
            probabilities=np.array([fsum(column) for column in probabilities.T]) / n,
        )

    def _vote_of_views(
        self,
        votes: Votes,
        probabilities: Float64[np.ndarray, "n K"],
        confidences: Float64[np.ndarray, " n"],
    ) -> Prediction:
        def shares(label: int) -> list[Fraction]:
            return [as_share(c) for c in confidences[votes.labels == label].tolist()]

        def strength(label: int) -> tuple[Fraction, ...]:
            return self._of(sum(shares(label), Fraction(0)), shares(label))

        winner = _winner(votes, strength)
        agreeing = np.flatnonzero(votes.labels == winner)
        surest = max(
            agreeing,
            # the last key only fixes the choice between equal voters, whatever their order
            key=lambda i: (confidences[i], probabilities[i, winner], tuple(probabilities[i])),
        )
        return Prediction(
            label=votes.classes[winner],
            confidence=float(sum(shares(winner), Fraction(0)) / len(agreeing)),
            probabilities=probabilities[surest].copy(),
        )

    def _of(self, total: Fraction, each: Iterable[Fraction]) -> tuple[Fraction, ...]:
        """Return what decides a tie: the sum, or the largest and then the sum."""
        return (total,) if self.tie == "sum" else (max(each), total)


@lru_cache(maxsize=4096)
def as_share(confidence: float) -> Fraction:
    """Return the exact value of a confidence: m / n where float64 rounded that share of voters.

    0.1 + 0.2 is less than 0.3 or more by the rounding of the three; 1/10 + 2/10 is 3/10. A
    confidence that is no share of at most `MOST_VOTERS` voters stands for itself.
    """
    share = Fraction(confidence).limit_denominator(MOST_VOTERS)
    return share if float(share) == confidence else Fraction(confidence)


def _winner(votes: Votes, strength: Strength) -> int:
    """Return the label with most voters; of tied ones the strongest, then the more severe."""
    counts = np.bincount(votes.labels, minlength=len(votes.classes))
    tied = [int(label) for label in np.flatnonzero(counts == counts.max())]
    if len(tied) == 1:
        return tied[0]
    return max(tied, key=lambda label: (strength(label), label))
