"""Tabulate predictions from subsets of a subject's views that are no votes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from echokit.system.checked import read_parquet
from echokit.system.files import whole_file
from echokit.types import Prediction
from echokit.voting.table import (
    APPROACH,
    METHOD,
    PATIENT,
    SPLIT,
    TASK,
    VIEWS,
    outcome_cells,
    prediction_of,
)


@dataclass(frozen=True, slots=True)
class SubsetRow:
    """A prediction from a subset of a subject's views, for example by feature fusion."""

    method: str
    """Name of the method."""
    task: str
    approach: str
    split: int
    patient: str
    views: tuple[str, ...]
    """The subset."""
    label: str
    """The true label of the patient."""
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class SubsetTable:
    """Predictions of subjects from subsets of their views: `fusion.parquet`."""

    frame: pd.DataFrame

    @classmethod
    def of(cls, rows: Iterable[SubsetRow]) -> SubsetTable:
        """Make a table of rows."""
        return cls(
            pd.DataFrame(
                [
                    {
                        TASK: row.task,
                        APPROACH: row.approach,
                        METHOD: row.method,
                        SPLIT: row.split,
                        PATIENT: row.patient,
                        VIEWS: "+".join(row.views),
                        **outcome_cells(row.label, row.prediction),
                    }
                    for row in rows
                ]
            )
        )

    @classmethod
    def read_if_there(cls, path: Path) -> SubsetTable:
        """Read a table, or return an empty one where there is no file."""
        return cls(read_parquet(path) if path.is_file() else pd.DataFrame())

    def write(self, path: Path) -> None:
        """Write a Parquet file, whole or not at all."""
        with whole_file(path) as partial:
            self.frame.to_parquet(partial, index=False)

    def __len__(self) -> int:
        return len(self.frame)

    def of_approach(self, task: str, approach: str) -> SubsetTable:
        """Return the rows of one task and approach."""
        if self.frame.empty:
            return self
        wanted = (self.frame[TASK] == task) & (self.frame[APPROACH] == approach)
        return SubsetTable(self.frame[wanted])

    def by_method(
        self,
    ) -> Iterator[tuple[str, dict[frozenset[str], dict[tuple[int, str], Prediction]]]]:
        """Yield each method with its predictions: subset -> (split, patient) -> prediction."""
        for method, rows in () if self.frame.empty else self.frame.groupby(METHOD, sort=False):
            predictions: dict[frozenset[str], dict[tuple[int, str], Prediction]] = {}
            for cells in rows.to_dict("records"):
                views = cells[VIEWS].split("+") if isinstance(cells[VIEWS], str) else cells[VIEWS]
                place = (int(cells[SPLIT]), str(cells[PATIENT]))
                predictions.setdefault(frozenset(views), {})[place] = prediction_of(cells)
            yield str(method), predictions
