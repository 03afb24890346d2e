"""What the rules that learn share: whom they learn from, with views left out in every way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from jaxtyping import Bool, Float64, Int64

from echokit import DataError, OptionError, Votes
from echokit_voting.checks import check_votes
from echokit_voting.pooling import confidences

LEAST = 1e-3
"""Smallest probability that a rule learns from, so that no one voter can say "never"."""
SUBSETS = 31
"""Most subsets of one subject's voters to learn from: all of five views."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """Votes in an order of their own, so that nothing depends on the one they came in."""

    names: tuple[str, ...]
    probabilities: Float64[np.ndarray, "n K"]
    confidences: Float64[np.ndarray, " n"]

    def of(self, kept: Bool[np.ndarray, " n"]) -> Ballot:
        """The ballot of some of the voters."""
        names = tuple(name for name, keep in zip(self.names, kept, strict=True) if keep)
        return Ballot(names, self.probabilities[kept], self.confidences[kept])


@dataclass(frozen=True, slots=True)
class Examples:
    """Ballots to learn from, and what is true of each."""

    classes: tuple[str, ...]
    names: tuple[str, ...]
    """Every voter that was seen, sorted."""
    ballots: tuple[Ballot, ...]
    truth: Int64[np.ndarray, " m"]
    weights: Float64[np.ndarray, " m"]
    """Of each ballot; those of one subject sum to 1."""


def ballot(votes: Votes) -> Ballot:
    """Put checked votes into an order that only their content determines."""
    probabilities, sure = np.asarray(votes.probabilities, np.float64), confidences(votes)
    order = sorted(
        range(len(votes.voters)),
        key=lambda i: (votes.voters[i], votes.labels[i], sure[i], tuple(probabilities[i])),
    )
    return Ballot(tuple(votes.voters[i] for i in order), probabilities[order], sure[order])


def examples(votes: Iterable[Votes], labels: Iterable[str]) -> Examples:
    """Let every subset of a subject's voters stand for it: a view may be missing later.

    A voter's name (a view) is kept or left out with all of its clips. Up to five names all
    subsets are taken; of more, all voters together and `SUBSETS` - 1 others, always the same.

    Raises:
        DataError: there is nobody to learn from, or votes and labels do not fit together.
    """
    given, truth = list(votes), list(labels)
    if not given or len(given) != len(truth):
        raise DataError(
            f"A voting rule was given {len(given)} votes and {len(truth)} labels to learn from: "
            "give one of each for every training patient, and at least one patient."
        )
    classes = given[0].classes
    for one, label in zip(given, truth, strict=True):
        check_votes(one)
        if one.classes != classes or label not in classes:
            raise DataError(
                f"A voting rule learns of {', '.join(classes)} and was given votes on "
                f"{', '.join(one.classes)} with the label {label!r}: give one task at a time."
            )
    ballots, truths, weights = [], [], []
    for one, label in zip(given, truth, strict=True):
        whole = ballot(one)
        ways = kept_voters(whole.names)
        ballots += [whole.of(kept) for kept in ways]
        truths += [classes.index(label)] * len(ways)
        weights += [1 / len(ways)] * len(ways)
    names = tuple(sorted({name for one in given for name in one.voters}))
    return Examples(classes, names, tuple(ballots), np.array(truths), np.array(weights))


def kept_voters(names: Sequence[str]) -> Bool[np.ndarray, "subsets n"]:
    """Which voters each subset keeps; all of them in the first."""
    distinct = sorted(set(names))
    return _subsets(len(distinct))[:, [distinct.index(name) for name in names]]


@cache
def _subsets(n: int) -> Bool[np.ndarray, "subsets n"]:
    if 2**n - 1 <= SUBSETS:
        return np.array([kept for kept in product((True, False), repeat=n) if any(kept)])
    rng = np.random.default_rng(0)  # a fixed choice: the same votes teach the same
    drawn = rng.random((SUBSETS, n)) < 0.5
    drawn[0] = True
    drawn[np.arange(SUBSETS), rng.integers(n, size=SUBSETS)] = True  # none is empty
    return drawn


def check_fitted(rule: str, classes: tuple[str, ...] | None, votes: Votes) -> None:
    """Check that a rule has learned, and of these classes.

    Raises:
        DataError: it has not.
    """
    if classes is None:
        raise DataError(
            f"The voting rule {rule!r} has not learned yet. It learns from training patients that "
            "inner networks judge: set crossfit.folds=2, or choose a rule that learns nothing, "
            "such as majority-vote."
        )
    if votes.classes != classes:
        raise DataError(
            f"The voting rule {rule!r} learned of {', '.join(classes)} and is given votes on "
            f"{', '.join(votes.classes)}: fit one for each task."
        )


def check_strength(rule: str, l2: float) -> None:
    """Check the weight of a penalty.

    Raises:
        OptionError: it is not a positive number.
    """
    if not 0 < l2 < np.inf:
        raise OptionError(f"The rule {rule!r} has l2={l2!r}: give a number above 0, such as 1.")
