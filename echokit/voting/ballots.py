"""The votes of each patient's views, as result tables hold them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from echokit.errors import DataError
from echokit.types import Votes


@dataclass(frozen=True, slots=True)
class Ballot:
    """What the clips of one patient say: every clip of a view has a vote."""

    split: int
    patient: str
    truth: int
    """Index of the patient's true label."""
    votes: Votes


def ballots(
    table: pd.DataFrame | None, classes: tuple[str, ...], views: Sequence[str]
) -> list[Ballot]:
    """Gather the votes of each patient in each split of one task and approach.

    Args:
        table: rows of levels 'view' and, where there are any, 'subject'; None for no row.
        classes: label names, least severe first.
        views: the views that vote.

    Returns:
        One ballot for each patient and split, whose truth is the label of the patient's subject
        rows, or else the most severe of its clips'.
    """
    if table is None or table.empty:
        return []
    index = {name: i for i, name in enumerate(classes)}
    truth: dict[str, int] = {}
    for level in ("view", "subject"):  # the second has the last word
        labels = table.loc[table["level"] == level, ["patient", "label"]]
        most = labels["label"].map(index).groupby(labels["patient"]).max()
        truth |= {str(patient): int(label) for patient, label in most.items()}
    own: dict[tuple[int, str], list[Mapping[Hashable, Any]]] = {}
    for row in table[(table["level"] == "view") & table["view"].isin(views)].to_dict("records"):
        own.setdefault((int(row["split"]), str(row["patient"])), []).append(row)
    return [
        Ballot(split, patient, truth[patient], _votes(rows, classes, index))
        for (split, patient), rows in sorted(own.items(), key=lambda item: item[0])
    ]


def _votes(
    rows: Sequence[Mapping[Hashable, Any]], classes: tuple[str, ...], index: Mapping[str, int]
) -> Votes:
    return Votes(
        classes=classes,
        voters=tuple(row["view"] for row in rows),
        labels=np.array([index[row["predicted"]] for row in rows]),
        probabilities=np.array([row["probabilities"] for row in rows], np.float64),
        confidences=np.array([row["confidence"] for row in rows], np.float64),
    )


def check_apart(held_out: Iterable[Ballot], training: Iterable[Ballot]) -> None:
    """Check that nobody is learned from who is judged in the same split.

    Raises:
        DataError: somebody is.
    """
    judged = {(one.split, one.patient) for one in held_out}
    if both := sorted({(one.split, one.patient) for one in training} & judged):
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
