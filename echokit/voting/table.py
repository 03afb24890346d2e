"""The table of predictions: one row for every sequence, view and subject of a run.

Its columns are spelled here and nowhere else. `predictions.parquet` holds those of held-out
patients, `crossfit.parquet` those of training patients by networks that did not learn from them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from echokit.system.checked import read_parquet
from echokit.system.files import whole_file
from echokit.types import Prediction, Votes
from echokit.voting.abstain import Reason

Level = Literal["sequence", "view", "subject"]

LEVEL, CLIP, START = "level", "clip", "start"
TASK, APPROACH, VIEW, SPLIT, PATIENT = "task", "approach", "view", "split", "patient"
LABEL, PREDICTED = "label", "predicted"
CONFIDENCE, PROBABILITIES = "confidence", "probabilities"
METHOD, VIEWS = "method", "views"
ABSTAINED = "abstained"
"""Reason why a subject is not judged; empty where it is. Tables of earlier versions lack it."""

REQUIRED = (
    LEVEL,
    TASK,
    APPROACH,
    SPLIT,
    PATIENT,
    VIEW,
    LABEL,
    PREDICTED,
    CONFIDENCE,
    PROBABILITIES,
)
"""Columns without which a table of predictions cannot be read."""


@dataclass(frozen=True, slots=True)
class Place:
    """The task, approach, view and split of a prediction."""

    task: str
    approach: str
    view: str
    """A view; in rows of subjects a set of views."""
    split: int


@dataclass(frozen=True, slots=True)
class Row:
    """One prediction with the true label."""

    level: Level
    place: Place
    patient: str
    label: str
    """The true label of the clip, or of the patient where a subject is predicted."""
    prediction: Prediction
    clip: str = ""
    """Identifier of the clip; empty where a subject is predicted."""
    start: int = -1
    """First frame of the sequence; -1 where a view or a subject is predicted."""
    abstained: Reason | Literal[""] = ""
    """Why the subject is not judged; empty where it is, and of sequences and views."""

    def cells(self) -> dict[str, object]:
        """Return the row as the table holds it."""
        return {
            LEVEL: self.level,
            CLIP: self.clip,
            START: self.start,
            TASK: self.place.task,
            APPROACH: self.place.approach,
            VIEW: self.place.view,
            SPLIT: self.place.split,
            **outcome_cells(self.label, self.prediction),
            PATIENT: self.patient,
            ABSTAINED: self.abstained,
        }


def outcome_cells(label: str, prediction: Prediction) -> dict[str, object]:
    """Return the cells of the true label and of a prediction beside it."""
    return {
        LABEL: label,
        PREDICTED: prediction.label,
        CONFIDENCE: float(prediction.confidence),
        PROBABILITIES: [float(p) for p in prediction.probabilities],
    }


@dataclass(frozen=True, slots=True)
class PredictionTable:
    """Predictions of sequences, views and subjects with the true labels."""

    frame: pd.DataFrame
    """One row for each prediction, with the columns above."""

    @classmethod
    def of(cls, rows: Iterable[Row]) -> PredictionTable:
        """Make a table of rows."""
        return cls(pd.DataFrame([row.cells() for row in rows]))

    @classmethod
    def read(cls, path: Path) -> PredictionTable:
        """Read a table from a Parquet file.

        Raises:
            DamagedError: the file is damaged, or a column is missing; the message names it.
        """
        return cls(read_parquet(path, REQUIRED))

    @classmethod
    def read_if_there(cls, path: Path) -> PredictionTable:
        """Read a table, or return an empty one where there is no file."""
        return cls.read(path) if path.is_file() else cls(pd.DataFrame())

    def write(self, path: Path) -> None:
        """Write a Parquet file, whole or not at all."""
        with whole_file(path) as partial:
            self.frame.to_parquet(partial, index=False)

    def __len__(self) -> int:
        return len(self.frame)

    def where(self, **cells: object) -> PredictionTable:
        """Return the rows that hold these cells; a collection stands for any of its members."""
        frame = self.frame
        for column, wanted in cells.items():
            if frame.empty:
                break
            if isinstance(wanted, Collection) and not isinstance(wanted, str):
                frame = frame[frame[column].isin(list(wanted))]
            else:
                frame = frame[frame[column] == wanted]
        return PredictionTable(frame)

    def at(self, place: Place) -> PredictionTable:
        """Return the rows of one place."""
        return self.where(
            task=place.task, approach=place.approach, view=place.view, split=place.split
        )

    @property
    def sequences(self) -> PredictionTable:
        """The rows of sequences."""
        return self.where(level="sequence")

    @property
    def views(self) -> PredictionTable:
        """The rows of views: one for each clip."""
        return self.where(level="view")

    @property
    def subjects(self) -> PredictionTable:
        """The rows of subjects: one for each patient and set of views."""
        return self.where(level="subject")

    @property
    def evaluated(self) -> PredictionTable:
        """The rows that metrics are computed on: views and subjects."""
        return self.where(level=("view", "subject"))

    def groups(self, *columns: str) -> Iterator[tuple[tuple[Any, ...], PredictionTable]]:
        """Yield the rows of each combination of cells, in order of first appearance."""
        if not self.frame.empty:
            for cells, rows in self.frame.groupby(list(columns), sort=False, observed=True):
                yield tuple(cells), PredictionTable(rows)

    def with_probabilities(
        self, probabilities: Sequence[Float[np.ndarray, " K"] | None]
    ) -> PredictionTable:
        """Return the table with other probabilities; rows that are given None are left out."""
        column = pd.Series(list(probabilities), self.frame.index, object)
        frame = self.frame.assign(**{PROBABILITIES: column})
        return PredictionTable(frame[column.notna()])

    def with_rows(self, other: PredictionTable) -> PredictionTable:
        """Return the table with the rows of another below its own."""
        return PredictionTable(pd.concat([self.frame, other.frame]))

    def rows(self) -> Iterator[Row]:
        """Yield each row as a value."""
        reasons = self.abstained.tolist()
        for cells, abstained in zip(self.frame.to_dict("records"), reasons, strict=True):
            yield Row(
                cells[LEVEL],
                Place(cells[TASK], cells[APPROACH], cells[VIEW], int(cells[SPLIT])),
                str(cells[PATIENT]),
                cells[LABEL],
                prediction_of(cells),
                cells.get(CLIP, ""),
                int(cells.get(START, -1)),
                abstained,
            )

    @property
    def patients(self) -> np.ndarray:
        """Patient of each row, as text."""
        return self.frame[PATIENT].to_numpy(str)

    @property
    def clips(self) -> np.ndarray:
        """Clip of each row, as text."""
        return self.frame[CLIP].to_numpy(str)

    @property
    def split(self) -> Int[np.ndarray, " n"]:
        """Number of the split of each row."""
        return self.frame[SPLIT].to_numpy(int)

    @property
    def confidence(self) -> Float[np.ndarray, " n"]:
        """Confidence of each prediction."""
        return self.frame[CONFIDENCE].to_numpy(float)

    @property
    def correct(self) -> Bool[np.ndarray, " n"]:
        """Whether each prediction is the true label."""
        return (self.frame[PREDICTED] == self.frame[LABEL]).to_numpy(bool)

    @property
    def abstained(self) -> np.ndarray:
        """Why each prediction is not judged, as text; empty where it is."""
        if ABSTAINED not in self.frame:
            return np.full(len(self.frame), "", dtype=object)
        return self.frame[ABSTAINED].fillna("").to_numpy(object)

    @property
    def probabilities(self) -> Float[np.ndarray, "n K"]:
        """Class probabilities of each prediction."""
        return np.stack(self.frame[PROBABILITIES].tolist()).astype(np.float64)

    def truth(self, classes: Iterable[str]) -> Int[np.ndarray, " n"]:
        """Index in `classes` of each true label."""
        return _indices(self.frame[LABEL], classes)

    def predicted(self, classes: Iterable[str]) -> Int[np.ndarray, " n"]:
        """Index in `classes` of each predicted label."""
        return _indices(self.frame[PREDICTED], classes)

    @property
    def n_subjects(self) -> int:
        """Number of different patients."""
        return int(self.frame[PATIENT].nunique())

    @property
    def n_splits(self) -> int:
        """Number of different splits."""
        return int(self.frame[SPLIT].nunique())

    def truth_of_patients(self, classes: Iterable[str]) -> dict[str, int]:
        """Find each patient's true label, of its subject rows or the most severe of its clips.

        Args:
            classes: label names, least severe first.
        """
        names = list(classes)
        truth: dict[str, int] = {}
        for table in (self.views, self.subjects):  # a patient's own label overrides its clips'
            if len(table):
                most = pd.Series(table.truth(names)).groupby(table.patients).max()
                truth |= {str(patient): int(index) for patient, index in most.items()}
        return truth

    def votes(self, classes: tuple[str, ...]) -> Votes:
        """Return the rows as the votes of views, each with its confidence."""
        return Votes(
            classes=classes,
            voters=tuple(self.frame[VIEW]),
            labels=self.predicted(classes),
            probabilities=self.probabilities,
            confidences=self.confidence,
        )

    def sequence_votes(self, classes: tuple[str, ...]) -> Votes:
        """Return the rows as the votes of the sequences of one clip."""
        probabilities = self.probabilities
        starts = tuple(map(str, self.frame[START]))
        return Votes(classes, starts, probabilities.argmax(1), probabilities)


def prediction_of(cells: Mapping[Any, Any]) -> Prediction:
    """Return the prediction in the cells of a row."""
    return Prediction(cells[PREDICTED], cells[CONFIDENCE], np.array(cells[PROBABILITIES]))


def _indices(labels: pd.Series[Any], classes: Iterable[str]) -> Int[np.ndarray, " n"]:
    return labels.map({name: i for i, name in enumerate(classes)}).to_numpy(int)
