"""Gather the votes of each patient's views from a table of predictions."""

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
    """The votes of a patient's clips in one split, one vote for each clip."""

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
        table: rows of views and, if there are any, of subjects.
        classes: label names, least severe first.
        views: the views that vote; None for all.

    Returns:
        One ballot for each patient and split, in sorted order. The true label is that of the
        patient's subject rows, or without them the most severe label of the patient's clips.
    """
    truth = table.truth_of_patients(classes)
    voting = table.views if views is None else table.views.where(view=views)
    gathered = [
        Ballot(int(split), str(patient), truth[str(patient)], rows.votes(classes))
        for (split, patient), rows in voting.groups(SPLIT, PATIENT)
    ]
    # sorted, because a rule that learns may depend on the order of its training ballots
    return sorted(gathered, key=lambda ballot: (ballot.split, ballot.patient))


def fit(aggregate: Aggregator, training: Sequence[Ballot]) -> Aggregator:
    """Fit a voting rule on training patients if it learns; return it.

    Raises:
        DataError: the rule learns, and there are no training patients.
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
    """Check that no patient is both held out and a training patient in the same split.

    Raises:
        DataError: a patient is both.
    """
    tested = {(ballot.split, ballot.patient) for ballot in held_out}
    if both := sorted({(ballot.split, ballot.patient) for ballot in training} & tested):
        split, patient = both[0]
        raise DataError(
            f"Patient {patient} is held out by split {split} and also a training patient in it "
            f"({len(both)} such cases): make crossfit.parquet and predictions.parquet by one run."
        )


def of_views(votes: Votes, views: Collection[str]) -> Votes:
    """Return the votes of some views, at least one of which has voted."""
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
