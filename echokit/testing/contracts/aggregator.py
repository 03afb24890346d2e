"""The contract of an aggregator.

For voters with and without confidences it predicts one of the votes' own classes, a confidence in
(0, 1] and class probabilities that sum to 1. One vote decides; where all agree, surely, their
label wins, whichever it is and however many they are; a large majority wins against one that is
less sure; with any view missing the others decide; the order of the voters never matters, in a tie
neither; the given votes stay as they were; no votes at all are refused with a `DataError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, islice, permutations

import numpy as np

from echokit.errors import DataError
from echokit.interfaces import Aggregator, SupportsFit
from echokit.testing.clips import CLASSES, tiny_votes
from echokit.testing.contracts.rules import attempt, expect, same
from echokit.testing.contracts.suite import Contract, keep
from echokit.types import Prediction, Votes

TIES = ((0, 1), (2, 0), (0, 1, 2), (1, 1, 2, 2, 0), (0, 2, 2, 0))
"""Labels of voters, of whom no label has a majority."""
BINARY = ("none", "PH")
NUMBERS = (1, 2, 3, 4, 5, 7, 10, 33)
"""Of voters who agree."""
MAJORITY = 9
"""Voters of one label against a single, less sure one of another."""
VIEWS = 3
"""Voters that an aggregator which learns has seen; any of them may be missing afterwards."""


def check_aggregator(factory: Callable[[], Aggregator]) -> None:
    """Check an aggregator's contract.

    Args:
        factory: called without arguments; bind options with `functools.partial`. An aggregator
            that `SupportsFit` is fitted on a few made-up votes first.

    Raises:
        ContractError: the contract is broken; the message says how.
    """
    keep(AggregatorContract.of(factory))


class AggregatorContract(Contract):
    """Made without arguments besides its options; see this module."""

    kind = "aggregator"

    def test_agreement(self) -> None:
        """One vote decides, and where all agree their label wins, with a confidence in (0, 1]."""
        for aggregator, classes, certain in self._cases():
            _check_decided(aggregator, classes, certain)

    def test_majority(self) -> None:
        """Nine sure voters win against a single one that is less sure."""
        for aggregator, classes, certain in self._cases():
            _check_majority(aggregator, classes, certain)

    def test_missing_views(self) -> None:
        """With any view missing the others decide, and where they agree their label wins."""
        for aggregator, classes, certain in self._cases():
            _check_missing(aggregator, classes, certain)

    def test_order(self) -> None:
        """The order of the voters never matters, in a tie neither."""
        for aggregator, classes, certain in self._cases():
            for labels in TIES:
                if max(labels) < len(classes):
                    for equal in (False, True):
                        _check_order(aggregator, _votes(labels, classes, certain, equal))

    def test_nobody(self) -> None:
        """No votes at all are refused with a DataError."""
        for aggregator, classes, certain in self._cases():
            _check_none(aggregator, classes, certain)

    def _cases(self) -> Iterator[tuple[Aggregator, Sequence[str], bool]]:
        """Two and three classes, voters without and with confidences."""
        for classes in (CLASSES, BINARY):
            aggregator = self.make()
            expect(callable(aggregator), f"The factory made a {type(aggregator).__name__}.")
            if isinstance(aggregator, SupportsFit):
                with attempt("fit(votes, labels)"):
                    aggregator.fit(*_training(classes))
            for certain in (False, True):
                yield aggregator, classes, certain


def _votes(
    labels: Sequence[int], classes: Sequence[str], certain: bool, equal: bool = False
) -> Votes:
    """Votes with confidences where `certain`; voters of a label alike where `equal`."""
    confidences = [0.7 if equal else 0.5 + 0.1 * (i % 5) for i in range(len(labels))]
    votes = tiny_votes(labels, confidences=confidences if certain else None, classes=classes)
    if equal:
        alike = np.eye(len(classes))[votes.labels] * 0.4 + 0.6 / len(classes)
        votes = replace(votes, probabilities=alike)
    return votes


def _training(classes: Sequence[str]) -> tuple[list[Votes], list[str]]:
    truth = list(range(len(classes))) * 4
    votes = [tiny_votes([label] * VIEWS, classes=classes, seed=i) for i, label in enumerate(truth)]
    return votes, [classes[label] for label in truth]


def _predict(aggregator: Aggregator, votes: Votes) -> Prediction:
    kept = replace(votes, labels=votes.labels.copy(), probabilities=votes.probabilities.copy())
    voters = f"{len(votes.voters)} voters {'with' if _certain(votes) else 'without'} confidences"
    with attempt(f"Aggregating {voters}"):
        outcome = aggregator(votes)
    expect(
        isinstance(outcome, Prediction),
        f"{voters} gave a {type(outcome).__name__}: an echokit.Prediction is expected.",
    )
    expect(
        outcome.label in votes.classes,
        f"{voters} gave the label {outcome.label!r}: one of {votes.classes} is expected.",
    )
    expect(
        0 < outcome.confidence <= 1,
        f"{voters} gave the confidence {outcome.confidence}: (0, 1] is expected.",
    )
    p = np.asarray(outcome.probabilities)
    expect(
        p.shape == (len(votes.classes),),
        f"{voters} gave probabilities of shape {p.shape}: one per class is expected.",
    )
    expect(
        ((p >= 0) & (p <= 1)).all() and abs(p.sum() - 1) < 1e-3,
        f"{voters} gave the probabilities {p.tolist()}: in [0, 1] and summing to 1 is expected.",
    )
    expect(
        same(votes.labels, kept.labels) and same(votes.probabilities, kept.probabilities),
        "It changed the given votes in place.",
    )
    return outcome


def _certain(votes: Votes) -> bool:
    return votes.confidences is not None


def _check_decided(aggregator: Aggregator, classes: Sequence[str], certain: bool) -> None:
    for label, name in enumerate(classes):
        for n in NUMBERS:
            votes = _votes([label] * n, classes, certain)
            won = _predict(aggregator, votes).label
            expect(
                won == name,
                f"{n} of {n} voters chose {name!r} of {tuple(classes)} and {won!r} won: "
                "a label on which all agree must win.",
            )


def _check_majority(aggregator: Aggregator, classes: Sequence[str], certain: bool) -> None:
    for many, few in permutations(range(len(classes)), 2):
        votes = _votes([few] + [many] * MAJORITY, classes, certain, equal=True)
        sure = np.array([0.5] + [1.0] * MAJORITY)
        votes = replace(
            votes,
            probabilities=sure[:, None] * (votes.probabilities - 1 / len(classes))
            + 1 / len(classes),
            confidences=0.9 * sure if certain else None,
        )
        won = _predict(aggregator, votes).label
        expect(
            won == classes[many],
            f"{MAJORITY} sure voters chose {classes[many]!r}, a less sure one {classes[few]!r}, "
            f"and {won!r} won: such a majority must win.",
        )


def _check_missing(aggregator: Aggregator, classes: Sequence[str], certain: bool) -> None:
    for label, name in enumerate(classes):
        whole = _votes([label] * VIEWS, classes, certain)
        for n in range(1, VIEWS):
            for there in combinations(range(VIEWS), n):
                votes = _picked(whole, list(there))
                won = _predict(aggregator, votes).label
                expect(
                    won == name,
                    f"Of the views {', '.join(whole.voters)} only {', '.join(votes.voters)} were "
                    f"there, for {name!r}, and {won!r} won: those that are there decide.",
                )


def _check_order(aggregator: Aggregator, votes: Votes) -> None:
    first = _predict(aggregator, votes)
    for shuffled in _orders(votes):
        other = _predict(aggregator, shuffled)
        expect(
            other.label == first.label
            and np.isclose(other.confidence, first.confidence, rtol=1e-9)
            and np.allclose(other.probabilities, first.probabilities, rtol=1e-9),
            f"Voters for {votes.labels.tolist()} gave {first.label!r} ({first.confidence:.4g}), in "
            f"another order {other.label!r} ({other.confidence:.4g}): the order of voters must "
            "not matter; settle a tie by what the voters say.",
        )


def _orders(votes: Votes) -> Iterator[Votes]:
    for order in islice(permutations(range(len(votes.voters))), 1, 120):
        yield _picked(votes, list(order))


def _picked(votes: Votes, index: list[int]) -> Votes:
    """The votes of some voters, in an order."""
    return Votes(
        classes=votes.classes,
        voters=tuple(votes.voters[i] for i in index),
        labels=votes.labels[index],
        probabilities=votes.probabilities[index],
        confidences=None if votes.confidences is None else votes.confidences[index],
    )


def _check_none(aggregator: Aggregator, classes: Sequence[str], certain: bool) -> None:
    try:
        with attempt("Aggregating no votes, where a DataError is expected,", (DataError,)):
            outcome = aggregator(_votes([], classes, certain))
    except DataError:
        return
    expect(False, f"No votes at all gave {outcome}: an echokit.DataError is expected.")
