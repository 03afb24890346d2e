"""Text of a CSV: a regular file in UTF-8, of a size and shape that a list of clips has."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from echokit import ClipError, DataError
from echokit_io.budget import Budget
from echokit_io.recognise import open_regular

SHARE = 8
"""Share of the memory that the bytes of a CSV may take: its cells take several times as much."""
COLUMNS = 2_000
"""Largest number of columns."""
SHOWN = 20
"""Number of names that a message lists."""
_BLOCK = 1 << 20


def read_text(path: Path, name: str, budget: Budget) -> str:
    """Read the text of a CSV.

    Args:
        path: the file.
        name: what it is, as the beginning of a sentence.
        budget: what reading may cost.

    Raises:
        DataError: it is no regular file, cannot be read, is larger than allowed, or is not in
            UTF-8.
    """
    data = bytearray()
    try:
        with open_regular(path) as file:
            while block := file.read(_BLOCK):
                data += block
                if len(data) > budget.bytes // SHARE:
                    raise DataError(
                        f"{name} has more than {budget.bytes // SHARE:,} bytes: give another file, "
                        "or allow more memory with the option limits of the loader "
                        f"(--set data.limits.memory={4 * budget.memory:g})."
                    )
    except ClipError as error:
        raise DataError(f"{name} cannot be read: {error}.") from None
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}.") from None
    try:
        # spreadsheets begin a UTF-8 CSV with a byte-order mark, which `utf-8-sig` removes
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{name} is not in UTF-8; save it as `CSV UTF-8`.") from None


def rows_of(
    text: str, separator: str, name: str, budget: Budget
) -> Iterator[tuple[int, list[str]]]:
    """Split the text of a CSV into lines and cells.

    Yields:
        Number of the line, from 1, and its cells.

    Raises:
        DataError: it has more rows or columns than allowed.
        csv.Error: it is no CSV.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    for number, cells in enumerate(reader):
        if len(cells) > COLUMNS:
            raise DataError(
                f"{name} has {len(cells):,} columns in line {reader.line_num}, more than "
                f"{COLUMNS:,}: give a list of clips."
            )
        if number > budget.rows:
            raise DataError(
                f"{name} has more than {budget.rows:,.0f} rows: divide it, or allow more with the "
                f"option limits of the loader (--set data.limits.rows={4 * budget.rows:.0f})."
            )
        yield reader.line_num, cells


def listed(names: Sequence[object], joint: str = ", ") -> str:
    """List names for a message, and count those beyond the first."""
    texts = [str(name)[:80] for name in names[:SHOWN]]
    more = len(names) - SHOWN
    return joint.join(texts) + (f" and {more:,} more" if more > 0 else "")
