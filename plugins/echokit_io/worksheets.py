"""Cells of a spreadsheet: every worksheet of an .xlsx, or a CSV read with each separator."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from echokit import DataError
from echokit_io.decoder_messages import muted_decoders

SUFFIXES = (".xlsx", ".csv")
"""Formats of a spreadsheet that are read."""
LARGEST = 5_000_000
"""Largest number of cells of a worksheet; a stray cell in the last corner makes 17 billion."""

Table = list[list[object]]
"""Rows of cells: texts, or the numbers, dates and None of a workbook."""


def read_tables(path: Path) -> dict[str, Table]:
    """Read the cells of a spreadsheet.

    Args:
        path: an .xlsx workbook, or a CSV in UTF-8.

    Returns:
        Worksheet -> its cells; for a CSV, separator -> its cells when split by it.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}.") from None
    return _xlsx(path, data) if path.suffix.lower() == ".xlsx" else _csv(path, data)


def _csv(path: Path, data: bytes) -> dict[str, Table]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path.name} is not in UTF-8; save it as `CSV UTF-8`.") from None
    tables: dict[str, Table] = {}
    reason = ""
    for separator in ";,\t":
        try:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
            tables[separator] = [list(cells) for cells in reader]
        except csv.Error as error:
            reason = str(error)
    if not tables:
        raise DataError(f"{path.name} cannot be read as CSV: {reason}.")
    return tables


def _xlsx(path: Path, data: bytes) -> dict[str, Table]:
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise DataError(
            f"{path.name} needs openpyxl: pip install 'echokit-cardiac[sheet]', or save it as "
            "`CSV UTF-8`."
        ) from None
    try:
        with muted_decoders():
            computed = load_workbook(io.BytesIO(data), data_only=True)
            written = load_workbook(io.BytesIO(data))
    except Exception as error:  # a damaged or locked file makes openpyxl raise nearly anything
        raise DataError(
            f"{path.name} cannot be read as .xlsx ({type(error).__name__}): open it in a "
            "spreadsheet and save it again, without a password, or as `CSV UTF-8`."
        ) from None
    return {
        sheet.title: _worksheet(path, sheet, written[sheet.title]) for sheet in computed.worksheets
    }


def _worksheet(path: Path, computed: Any, written: Any) -> Table:
    """Read the values of a worksheet; a formula that was never computed stays a formula."""
    if computed.max_row * computed.max_column > LARGEST:
        raise DataError(
            f"{path.name}, worksheet {computed.title!r}, goes to row {computed.max_row} and column "
            f"{computed.max_column}: delete the stray cells, or save it as `CSV UTF-8`."
        )
    pairs = zip(
        computed.iter_rows(values_only=True), written.iter_rows(values_only=True), strict=True
    )
    table: Table = [
        [value if value is not None else formula for value, formula in zip(*pair, strict=True)]
        for pair in pairs
    ]
    for merged in computed.merged_cells.ranges:  # openpyxl keeps the value in the topmost cell
        top, column = merged.min_row - 1, merged.min_col - 1
        for row in range(top + 1, merged.max_row):
            table[row][column] = table[top][column]
    return table
