"""Training data of the rules that learn: every subset of a subject's voters is an example."""

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
"""Smallest probability that a rule learns from: no single voter can exclude a label."""
SUBSETS = 31
"""Largest number of subsets of a subject's voters: all those of five views."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """Votes in an order determined by their content, so the given order has no influence."""

    names: tuple[str, ...]
    """Name of each of n voters."""
    probabilities: Float64[np.ndarray, "n K"]
    """Class probabilities of each voter, in [0, 1]."""
    confidences: Float64[np.ndarray, " n"]
    """Confidence of each voter, in (0, 1]."""

    def subset(self, kept: Bool[np.ndarray, " n"]) -> Ballot:
        """Return the ballot of the voters that are kept."""
        names = tuple(name for name, keep in zip(self.names, kept, strict=True) if keep)
        return Ballot(names, self.probabilities[kept], self.confidences[kept])


@dataclass(frozen=True, slots=True)
class Examples:
    """Ballots to learn from, with the true label of each."""

    classes: tuple[str, ...]
    """Label names, least severe first."""
    names: tuple[str, ...]
    """Names of all voters, sorted."""
    ballots: tuple[Ballot, ...]
    """The m examples."""
    truth: Int64[np.ndarray, " m"]
    """Index of each example's true label."""
    weights: Float64[np.ndarray, " m"]
    """Weight of each example; those of one subject sum to 1."""


def ordered_ballot(votes: Votes) -> Ballot:
    """Sort checked votes into an order that only their content determines."""
    probabilities, confident = np.asarray(votes.probabilities, np.float64), confidences(votes)
    order = sorted(
        range(len(votes.voters)),
        key=lambda i: (votes.voters[i], votes.labels[i], confident[i], tuple(probabilities[i])),
    )
    return Ballot(tuple(votes.voters[i] for i in order), probabilities[order], confident[order])


def examples(votes: Iterable[Votes], labels: Iterable[str]) -> Examples:
    """Make every subset of a subject's voters an example, because views may be missing later.

    A voter's name (a view) is kept or left out with all of its clips. Of up to five names all
    subsets are used; of more, all voters together and `SUBSETS` - 1 other subsets, always the same.

    Raises:
        DataError: there are no votes to learn from, or votes and labels do not fit together.
    """
    subjects, true_labels = list(votes), list(labels)
    if not subjects or len(subjects) != len(true_labels):
        raise DataError(
            f"A voting rule was given {len(subjects)} votes and {len(true_labels)} labels to learn "
            "from: give one of each for every training patient, and at least one patient."
        )
    classes = subjects[0].classes
    for subject, label in zip(subjects, true_labels, strict=True):
        check_votes(subject)
        if subject.classes != classes or label not in classes:
            raise DataError(
                f"A voting rule learns the labels {', '.join(classes)} and was given votes on "
                f"{', '.join(subject.classes)} with the label {label!r}: give one task at a time."
            )
    ballots, truth, weights = [], [], []
    for subject, label in zip(subjects, true_labels, strict=True):
        complete = ordered_ballot(subject)
        subsets = kept_voters(complete.names)
        ballots += [complete.subset(kept) for kept in subsets]
        truth += [classes.index(label)] * len(subsets)
        weights += [1 / len(subsets)] * len(subsets)
    names = tuple(sorted({name for subject in subjects for name in subject.voters}))
    return Examples(classes, names, tuple(ballots), np.array(truth), np.array(weights))


def kept_voters(names: Sequence[str]) -> Bool[np.ndarray, "subsets n"]:
    """Mark the voters that each subset keeps; the first subset keeps all of them."""
    distinct = sorted(set(names))
    return _subsets(len(distinct))[:, [distinct.index(name) for name in names]]


@cache
def _subsets(n: int) -> Bool[np.ndarray, "subsets n"]:
    if 2**n - 1 <= SUBSETS:
        return np.array([kept for kept in product((True, False), repeat=n) if any(kept)])
    rng = np.random.default_rng(0)  # a fixed choice: fitting twice gives the same rule
    drawn = rng.random((SUBSETS, n)) < 0.5
    drawn[0] = True
    drawn[np.arange(SUBSETS), rng.integers(n, size=SUBSETS)] = True  # no subset is empty
    return drawn


def check_fitted(rule: str, classes: tuple[str, ...] | None, votes: Votes) -> None:
    """Check that a rule has learned the classes of the votes.

    Raises:
        DataError: the rule has not learned, or has learned other classes.
    """
    if classes is None:
        raise DataError(
            f"The voting rule {rule!r} has not learned yet. It learns from the votes of inner "
            "networks on training patients: set crossfit.folds=2, or choose a rule that does not "
            "learn, such as majority-vote."
        )
    if votes.classes != classes:
        raise DataError(
            f"The voting rule {rule!r} learned the labels {', '.join(classes)} and is given votes "
            f"on {', '.join(votes.classes)}: fit one for each task."
        )


def check_strength(rule: str, l2: float) -> None:
    """Check the weight of a penalty.

    Raises:
        OptionError: `l2` is not a positive number.
    """
    if not 0 < l2 < np.inf:
        raise OptionError(f"The rule {rule!r} has l2={l2!r}: give a number above 0, such as 1.")
