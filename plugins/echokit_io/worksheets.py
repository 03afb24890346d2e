"""Cells of a spreadsheet: every worksheet of an .xlsx, or a CSV read with each separator."""

from __future__ import annotations

import csv
from pathlib import Path

from echokit import ClipError, DataError
from echokit_io.budget import Budget
from echokit_io.csv_text import read_text, rows_of
from echokit_io.recognise import open_regular
from echokit_io.xlsx import Table, read_workbook

SUFFIXES = (".xlsx", ".csv")
"""Formats of a spreadsheet that are read."""


def read_tables(path: Path, budget: Budget) -> dict[str, Table]:
    """Read the cells of a spreadsheet.

    Args:
        path: an .xlsx workbook, or a CSV in UTF-8.
        budget: what reading may cost.

    Returns:
        Worksheet -> its cells; for a CSV, separator -> its cells when split by it.

    Raises:
        DataError: the file cannot be read.
    """
    if path.suffix.lower() != ".xlsx":
        return _csv(path, budget)
    try:
        with open_regular(path) as file:
            return read_workbook(file, path.name, budget)
    except ClipError as error:
        raise DataError(f"{path.name} cannot be read: {error}.") from None
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}.") from None


def _csv(path: Path, budget: Budget) -> dict[str, Table]:
    text = read_text(path, path.name, budget)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(
            f"{path.name} holds a NUL character in line {line}: it is damaged, or no table; save "
            "it as `CSV UTF-8`."
        )
    tables: dict[str, Table] = {}
    reason = ""
    for separator in ";,\t":
        try:
            rows = rows_of(text, separator, path.name, budget)
            tables[separator] = [list[object](cells) for _, cells in rows]
        except csv.Error as error:
            reason = str(error)
    if not tables:
        raise DataError(f"{path.name} cannot be read as CSV: {reason}.")
    return tables
