"""Tables of public data sets: CSV files that are read line by line, whatever their size."""

from __future__ import annotations

import csv
import gzip
import os
import stat
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from echokit import DataError

LONGEST = 1 << 20
"""Bytes of the longest line that is read."""
LINES = 50_000_000
"""Largest number of lines that is read."""
SHOWN = 12
"""Number of names that a message lists."""

Cells = Mapping[str, str]
"""Column -> text of its cell, without spaces around it."""


def read_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, Cells | str]]:
    """Read the rows of a CSV, gzip-compressed or not.

    Args:
        path: the file, in UTF-8, separated by commas.
        needed: columns that it must have.

    Yields:
        Number of the line, and its cells by column; or the reason why the row cannot be used.

    Raises:
        DataError: it cannot be read as a CSV, or lacks a column.
    """
    with open_table(path) as file:
        reader = csv.reader(_lines(file, path.name), strict=True)
        try:
            header = [cell.strip() for cell in next(reader, [])]
            _check_header(path.name, header, needed)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, _row(header, cells)
        except csv.Error as error:
            raise DataError(f"{path.name} is no CSV (line {reader.line_num}: {error}).") from None
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise DataError(f"{path.name} is damaged: it cannot be unpacked.") from None


@contextmanager
def open_table(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file; one whose name ends in `.gz` is unpacked as it is read.

    Raises:
        DataError: there is no such file, or it is no regular one.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path.name} is no regular file: copy the data set again.")
        # should the file become a FIFO meanwhile, opening it without O_NONBLOCK would wait forever
        file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}.") from None
    with file:
        if path.suffix != ".gz":
            yield file
            return
        with gzip.open(file) as unpacked:
            yield unpacked  # type: ignore[misc]


def _lines(file: BinaryIO, name: str) -> Iterator[str]:
    for number in range(1, LINES + 2):
        line = file.readline(LONGEST + 1)
        if not line:
            return
        if len(line) > LONGEST or number > LINES:
            raise DataError(
                f"{name} has a line that is too long, or too many lines: it is no list."
            )
        try:
            # spreadsheets begin a UTF-8 CSV with a byte-order mark
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{name} is not in UTF-8 (line {number}).") from None


def _check_header(name: str, header: Sequence[str], needed: Sequence[str]) -> None:
    twice = [column for column, times in Counter(header).items() if column and times > 1]
    if twice:
        raise DataError(f"{name} has the column {twice[0][:40]!r} twice; rename one.")
    if missing := [column for column in needed if column not in header]:
        raise DataError(
            f"{name} has no column {' or '.join(missing)}. "
            f"Expected: {', '.join(needed)}. Found: {listed(header)}."
        )


def _row(header: Sequence[str], cells: Sequence[str]) -> Cells | str:
    if any(cell.strip() for cell in cells[len(header) :]):
        return f"it has {len(cells)} cells under {len(header)} columns"
    if any("\0" in cell for cell in cells):
        return "it holds a NUL character"
    row = {column: "" for column in header if column}
    row |= {column: cell.strip() for column, cell in zip(header, cells, strict=False) if column}
    return row


def listed(names: Sequence[str]) -> str:
    """List names for a message, and count those beyond the first."""
    more = len(names) - SHOWN
    shown = ", ".join(ascii(name[:60])[1:-1] for name in names[:SHOWN])
    return (shown or "nothing") + (f" and {more:,} more" if more > 0 else "")
