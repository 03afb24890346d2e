"""Ballots: the votes of each patient's views, gathered from a table of predictions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from echokit.errors import DataError
from echokit.interfaces import Aggregator, SupportsFit
from echokit.types import Votes
from echokit.voting.table import PATIENT, SPLIT, PredictionTable


@dataclass(frozen=True, slots=True)
class Ballot:
    """The votes of one patient's clips in one split: every clip of a view has a vote."""

    split: int
    patient: str
    truth: int
    """Index of the patient's true label."""
    votes: Votes


def ballots(
    table: PredictionTable, classes: tuple[str, ...], views: Sequence[str] | None = None
) -> list[Ballot]:
    """Gather the votes of each patient in each split of one task and approach.

    Args:
        table: rows of levels 'view' and, where there are any, 'subject'.
        classes: label names, least severe first.
        views: the views that vote; None for all.

    Returns:
        One ballot for each patient and split, in their order, whose truth is the label of the
        patient's subject rows, or else the most severe of its clips'.
    """
    truth = table.truth_of_patients(classes)
    voting = table.views if views is None else table.views.where(view=views)
    found = [
        Ballot(int(split), str(patient), truth[str(patient)], rows.votes(classes))
        for (split, patient), rows in voting.groups(SPLIT, PATIENT)
    ]
    return sorted(found, key=lambda ballot: (ballot.split, ballot.patient))


def fit(aggregate: Aggregator, training: Sequence[Ballot]) -> Aggregator:
    """Fit a voting rule on training patients if it learns; return it.

    Raises:
        DataError: it learns, and there is nobody to learn from.
    """
    if isinstance(aggregate, SupportsFit):
        if not training:
            raise DataError(
                "there are no training patients, predicted by inner networks, to learn from "
                "(crossfit.folds=2 makes them)"
            )
        votes = [ballot.votes for ballot in training]
        aggregate.fit(votes, [ballot.votes.classes[ballot.truth] for ballot in training])
    return aggregate


def check_apart(held_out: Iterable[Ballot], training: Iterable[Ballot]) -> None:
    """Check that no patient is held out by a split and learned from in it.

    Raises:
        DataError: a patient is both.
    """
    out = {(ballot.split, ballot.patient) for ballot in held_out}
    if both := sorted({(ballot.split, ballot.patient) for ballot in training} & out):
        split, patient = both[0]
        raise DataError(
            f"Patient {patient} is held out by split {split} and among those to learn from in it "
            f"({len(both)} such): make crossfit.parquet and predictions.parquet anew, by one run."
        )


def of_views(votes: Votes, views: Collection[str]) -> Votes:
    """The votes of some views, of which there is one at least."""
    kept = np.array([voter in views for voter in votes.voters])
    if kept.all():
        return votes
    assert votes.confidences is not None
    return Votes(
        classes=votes.classes,
        voters=tuple(voter for voter in votes.voters if voter in views),
        labels=votes.labels[kept],
        probabilities=votes.probabilities[kept],
        confidences=votes.confidences[kept],
    )
