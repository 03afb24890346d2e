"""What users say of studies in a queue: corrections of files, and readings of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select

from echokit.studies.queue.tables import CORRECTIONS, READINGS

Begin = Callable[[], AbstractContextManager[Connection]]
"""Opens a transaction."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a user says of one file of a study."""

    time: float
    """Seconds since 1970."""
    study: str
    """The study."""
    file: str
    """What the file is known by in the study, such as its number."""
    user: str
    """Who says so."""
    view: str
    """The view that it shows; empty leaves it to the file."""
    excluded: bool
    """True if the file is not to be judged."""
    anyway: bool
    """True if the study is to be judged where echokit would refuse its clips."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a user reads in a study."""

    time: float
    """Seconds since 1970."""
    study: str
    """The study."""
    user: str
    """Who read it."""
    label: str
    """The label that the user chose."""
    blind: bool
    """True if the user had not seen the result."""


class Remarks:
    """Corrections and readings of the studies of a queue; nothing that was said is overwritten.

    >>> remarks = echokit.StudyQueue("queue.sqlite").remarks
    >>> remarks.correct("1.2.3", "0001", user="anna", view="A4C")
    >>> remarks.corrections("1.2.3")["0001"].view
    'A4C'
    """

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    def correct(
        self,
        study: str,
        file: str,
        *,
        user: str,
        view: str = "",
        excluded: bool = False,
        anyway: bool = False,
    ) -> None:
        """Record a correction of a file; the last one of a file counts."""
        said = {"study": study, "file": file, "user": user, "view": view}
        self._add(CORRECTIONS, said | {"excluded": excluded, "anyway": anyway})

    def read(self, study: str, *, user: str, label: str, blind: bool) -> None:
        """Record what a user reads in a study."""
        self._add(READINGS, {"study": study, "user": user, "label": label, "blind": blind})

    def corrections(self, study: str) -> Mapping[str, Correction]:
        """File -> the correction that counts."""
        return {str(row["file"]): Correction(**row) for row in self._rows(CORRECTIONS, study)}

    def readings(self, study: str | None = None) -> list[Reading]:
        """List readings, oldest first.

        Args:
            study: only those of this one.
        """
        return [Reading(**row) for row in self._rows(READINGS, study)]

    def _add(self, table: Table, values: dict[str, Any]) -> None:
        with self._begin() as db:
            db.execute(table.insert().values(time=time.time(), **values))

    def _rows(self, table: Table, study: str | None) -> list[dict[str, Any]]:
        asked = select(*(column for column in table.c if column.name != "id")).order_by(table.c.id)
        if study is not None:
            asked = asked.where(table.c.study == study)
        with self._begin() as db:
            return [dict(row._mapping) for row in db.execute(asked)]
