"""Cells of an .xlsx workbook, read in one pass of a parser that builds no tree.

A workbook is a ZIP of XML: some kilobytes of it unpack to gigabytes, and one line of it merges 17
billion cells. So the parts are unpacked piece by piece, what is counted is limited, and only cells
that hold a value are kept. ECMA-376 (Office Open XML) part 1, section 18.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import BinaryIO

from echokit import DataError
from echokit_io.bounded_xml import Damaged, parse
from echokit_io.budget import Budget, Clock

Table = list[list[object]]
"""Rows of cells: texts, or the numbers, dates and None of a workbook."""

CELLS = 1_000_000
"""Largest number of cells of a worksheet, those before the last of each row included."""
FORMATS = 65_536
"""Largest number of cell formats, as in every spreadsheet."""
COLUMNS = 16_384
"""Largest number of columns of a worksheet, as in every spreadsheet."""
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_NOT_DATE = re.compile(r'".*?"|\[(?!hh?\]|mm?\]|ss?\])[^\]]*\]|[\\_].')
_DATE = re.compile(r"[dmhys]", re.IGNORECASE)
_DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
"""Numbers of the built-in formats that show dates."""


def read_workbook(file: BinaryIO, name: str, budget: Budget) -> dict[str, Table]:
    """Read the cells of every worksheet.

    A formula that was never computed stays a formula. A cell that is merged downwards has its value
    in every row.

    Args:
        file: the workbook.
        name: its name, for errors.
        budget: what reading may cost.

    Returns:
        Worksheet -> its cells.

    Raises:
        DataError: it is damaged, locked with a password, or larger than allowed.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _Workbook(archive, name, budget).tables()
    except (DataError, OSError, MemoryError):
        raise
    except Exception as error:  # a damaged or locked file makes zipfile and expat raise nearly all
        reason = str(error) if isinstance(error, Damaged) else type(error).__name__
        raise DataError(
            f"{name} cannot be read as .xlsx ({reason}): open it in a "
            "spreadsheet and save it again, without a password, or as `CSV UTF-8`."
        ) from None


@dataclass
class _Sheet:
    """What was read of a worksheet."""

    rows: dict[int, list[object]] = field(default_factory=dict)
    """Row, from 0 -> cells."""
    merged: list[tuple[int, int, int]] = field(default_factory=list)
    """First row, last row and column of each range that is merged downwards, from 0."""
    cells: int = 0
    """Number of cells, those before the last of each row included."""


class _Workbook:
    """The parts of one workbook."""

    def __init__(self, archive: zipfile.ZipFile, name: str, budget: Budget) -> None:
        self.archive, self.name, self.budget = archive, name, budget
        self.clock: Clock = budget.start()
        self.texts: list[str] = []
        self.dates: list[bool] = []
        """Whether a number of each style is a date."""
        self.epoch = datetime(1899, 12, 30)

    def tables(self) -> dict[str, Table]:
        """Read every worksheet."""
        root = self._links("")
        book = next((p for kind, p in root.values() if kind == "officeDocument"), "xl/workbook.xml")
        links = self._links(book)
        sheets = self._sheets(book)
        for kind, part in links.values():
            if kind == "sharedStrings":
                self._shared_strings(part)
            elif kind == "styles":
                self._styles(part)
        found = {}
        for title, link in sheets:
            kind, part = links.get(link, ("", ""))
            if kind == "worksheet":
                found[title] = self._table(title, part)
        return found

    def _links(self, part: str) -> dict[str, tuple[str, str]]:
        """Read a part's relationships: identifier -> last word of its type, and the other part."""
        folder, base = posixpath.split(part)
        links: dict[str, tuple[str, str]] = {}

        def start(name: str, values: Mapping[str, str]) -> None:
            if name == "Relationship":
                target = posixpath.normpath(posixpath.join("/" + folder, values.get("Target", "")))
                links[values.get("Id", "")] = values.get("Type", "").split("/")[-1], target[1:]

        self._parse(posixpath.join(folder, "_rels", f"{base}.rels"), start)
        return links

    def _sheets(self, part: str) -> list[tuple[str, str]]:
        """Read the title of each sheet, and the identifier of its relationship."""
        sheets: list[tuple[str, str]] = []

        def start(name: str, values: Mapping[str, str]) -> None:
            if name == "sheet":
                link = (value for key, value in values.items() if key.endswith(" id"))
                sheets.append((values.get("name", ""), next(link, "")))
            elif name == "workbookPr" and values.get("date1904", "0") in ("1", "true"):
                self.epoch = datetime(1904, 1, 1)

        self._parse(part, start)
        return sheets

    def _shared_strings(self, part: str) -> None:
        def end(name: str, text: str) -> None:
            if name == "si":
                self.texts.append(text)

        self._parse(part, end=end, texts={"si": {"t"}})

    def _styles(self, part: str) -> None:
        own: dict[str, bool] = {}
        inside: list[str] = []

        def start(name: str, values: Mapping[str, str]) -> None:
            if name == "numFmt":
                code = _NOT_DATE.sub("", values.get("formatCode", "").split(";")[0])
                own[values.get("numFmtId", "")] = bool(_DATE.search(code))
            elif name in ("cellXfs", "cellStyleXfs"):
                inside[:] = [name]
            elif name == "xf" and inside == ["cellXfs"]:
                number = values.get("numFmtId", "0")
                known = number.isdecimal() and len(number) < 5 and int(number) in _DATE_FORMATS
                self.dates.append(own.get(number, known))
                if len(self.dates) > FORMATS:
                    raise Damaged(f"it has more than {FORMATS:,} formats")

        self._parse(part, start)

    def _table(self, title: str, part: str) -> Table:
        sheet = self._worksheet(title, part)
        rows = max(sheet.rows, default=-1) + 1
        table: Table = [sheet.rows.get(row, []) for row in range(rows)]
        filled = sheet.cells
        for top, bottom, column in sheet.merged:
            value = table[top][column] if top < rows and column < len(table[top]) else None
            if value is None:
                continue
            for row in range(top + 1, min(bottom + 1, rows)):
                missing = column + 1 - len(table[row])
                filled += max(missing, 1)
                if filled > CELLS:
                    raise DataError(self._too_large(title, bottom, column))
                table[row] = table[row] + [None] * missing
                table[row][column] = value
        return table

    def _worksheet(self, title: str, part: str) -> _Sheet:
        sheet, at, values_of = _Sheet(), [0, 0], dict[str, str]()
        at[0] = -1

        def start(name: str, values: Mapping[str, str]) -> None:
            if name == "row":
                at[:] = _index(values.get("r"), at[0]), -1
            elif name == "c":
                where = _CELL.fullmatch(values.get("r", ""))
                at[1] = _column(where[1]) if where else at[1] + 1
                values_of.clear()
                values_of.update(values)
            elif name == "mergeCell" and (merged := _range(values.get("ref", ""))):
                sheet.merged.append(merged)

        def end(name: str, text: str) -> None:
            if name in ("v", "is", "f"):
                values_of[f"<{name}>"] = text
                return
            value = self._value(values_of) if name == "c" else None
            if value is None:
                return
            row, column = at
            cells = sheet.rows.setdefault(row, [])
            sheet.cells += max(column + 1 - len(cells), 0)
            if row >= self.budget.rows or column >= COLUMNS or sheet.cells > CELLS:
                raise DataError(self._too_large(title, row, column))
            cells.extend([None] * (column + 1 - len(cells)))
            cells[column] = value

        self._parse(part, start, end, {"v": {"v"}, "f": {"f"}, "is": {"t"}, "c": set()})
        return sheet

    def _value(self, cell: Mapping[str, str]) -> object:
        """Return the value of a cell; None if it is empty."""
        kind, written = cell.get("t", "n"), cell.get("<v>", "")
        if kind == "inlineStr":
            return cell.get("<is>") or None
        if not written:
            return f"={cell['<f>']}" if cell.get("<f>") else None
        if kind == "s":
            return self.texts[int(written)] or None
        if kind == "b":
            return written == "1"
        if kind == "d":
            return datetime.fromisoformat(written)
        if kind != "n":
            return written
        number = float(written) if re.search(r"[.eE]", written) else int(written)
        style = int(cell.get("s", "0"))
        if style < len(self.dates) and self.dates[style] and 1 <= number < 2_958_466:
            # spreadsheets believe that 1900 was a leap year
            return self.epoch + timedelta(days=number + (number < 60 and self.epoch.year < 1904))
        return number

    def _too_large(self, title: str, row: int, column: int) -> str:
        return (
            f"{self.name}, worksheet {title!r}, goes to row {row + 1} and column {column + 1}; "
            f"{self.budget.rows:,.0f} rows and {CELLS:,} cells are allowed: delete the stray "
            "cells, or save it as `CSV UTF-8`."
        )

    def _parse(
        self,
        part: str,
        start: Callable[[str, Mapping[str, str]], None] | None = None,
        end: Callable[[str, str], None] | None = None,
        texts: Mapping[str, set[str]] | None = None,
    ) -> None:
        """Parse a part, if there is one.

        Args:
            part: its name in the archive.
            start: told of each element: its name and attributes.
            end: told of each element of `texts` when it ends: its name and text.
            texts: element -> the elements inside it whose characters are its text.
        """
        if part not in self.archive.NameToInfo:
            return
        with self.archive.open(part) as file:
            parse(file, posixpath.basename(part), start, end, texts or {}, self.clock)


def _index(written: str | None, before: int) -> int:
    """Return the number of a row, from 0; the next one if none is written."""
    if written is None:
        return before + 1
    if not written.isdecimal() or not 0 < len(written) < 8:
        raise Damaged("a row has no number")
    return int(written) - 1


def _column(letters: str) -> int:
    """Return the number of a column, from 0: A is 0, AA is 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _range(reference: str) -> tuple[int, int, int] | None:
    """Return first row, last row and column of a merged range; None if it goes not downwards."""
    first, _, last = reference.partition(":")
    ends = _CELL.fullmatch(first), _CELL.fullmatch(last)
    if ends[0] is None or ends[1] is None:
        return None
    top, bottom = int(ends[0][2]) - 1, int(ends[1][2]) - 1
    return (top, bottom, _column(ends[0][1])) if 0 <= top < bottom else None
