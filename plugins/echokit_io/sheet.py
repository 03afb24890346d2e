"""A clinic's sheet of grades: which columns and rows are meant, and whose grade is what."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

from echokit import DataError
from echokit_io.cells import Table, read_tables

GRADE = "grade"
_WHOLE = re.compile(r"0*([0-9]+)(?:[.,]0+)?")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,3}(?:[.,][0-9]{1,3})?")
_STEP = re.compile(r"([0-9]{1,3}) ?(?:bis|to|-|‐|–|—) ?([0-9]{1,3})", re.IGNORECASE)
_SEARCHED = 20
"""First rows among which a misplaced header is looked for."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row below the header."""

    line: int
    """Row of the sheet, the first being 1."""
    number: str
    """The patient's number; empty if the cell is."""
    labels: Mapping[str, str]
    """`grade`, and whatever other labels were asked for; empty where the cell is."""
    fault: str = ""
    """Why it cannot be used; empty if it can."""


def number_of(written: str) -> str:
    """A patient's number to compare exactly: whole numbers by value, anything else as written.

    `30`, `030` and a spreadsheet's `30.0` are one patient; `130`, `300` and `30a` are others.
    """
    plain = _plain(written)
    whole = _WHOLE.fullmatch(plain)
    return whole[1] if whole else plain


def grade_of(written: str) -> str:
    """A grade in the spelling of a recipe's map; what is no grade stays as written.

    A half step is written as two neighbouring grades (`1 bis 2`, `1-2`) or as a decimal with comma
    or point; each becomes `1.5`. Whole grades lose their decimals.
    """
    plain = _plain(written)
    if _DECIMAL.fullmatch(plain):
        return f"{float(plain.replace(',', '.')):g}"
    step = _STEP.fullmatch(plain)
    if step and int(step[2]) == int(step[1]) + 1:
        return f"{int(step[1]) + 0.5:g}"
    return written.strip()


def read_sheet(
    path: Path, *, number: str, grade: str, header: int, labels: Mapping[str, str]
) -> tuple[Row, ...]:
    """Read every row below the header that is not blank.

    Args:
        path: an .xlsx workbook, or a CSV in UTF-8 separated by semicolons, commas or tabs.
        number: name of the column of patients' numbers.
        grade: name of the column of grades.
        header: row of the sheet, from 1, that names the columns.
        labels: label -> name of the column that it is taken from.

    Raises:
        DataError: it cannot be read, or not one worksheet has those columns in that row.
    """
    tables = read_tables(path)
    options = {number: "number", grade: GRADE}
    options |= {name: f"labels.{label}" for label, name in labels.items() if name not in options}
    fitting = [name for name, table in tables.items() if _has(table, header, options)]
    if not fitting:
        raise DataError(_misfit(path, tables, header, options))
    if len(fitting) > 1:
        raise DataError(
            f"{path.name} has the columns {_listed(options)} in the worksheets "
            f"{_listed(fitting)}: keep one of these, or save the one that is meant as a CSV."
        )
    table = tables[fitting[0]]
    at = {name: _place(path, table[header - 1], name) for name in options}
    wanted = {GRADE: at[grade]} | {label: at[name] for label, name in labels.items()}
    rows = [
        _row(line, cells, at[number], wanted)
        for line, cells in enumerate(table[header:], start=header + 1)
        if any(map(_text, cells))
    ]
    return tuple(_judged(rows, number))


def _row(line: int, cells: Sequence[object], number: int, labels: Mapping[str, int]) -> Row:
    def cell(column: int) -> object:
        return cells[column] if column < len(cells) else None

    said = {label: _text(cell(column)) for label, column in labels.items()}
    fault = ""
    if isinstance(cell(labels[GRADE]), date):
        fault = f"its grade is the date {said[GRADE]}, as a spreadsheet makes of 1-2: write 1.5"
    said[GRADE] = grade_of(said[GRADE])
    return Row(line, number_of(_text(cell(number))), MappingProxyType(said), fault)


def _judged(rows: Sequence[Row], number: str) -> list[Row]:
    """Rows of one patient may repeat a label or leave it empty, but not differ in it."""
    lines: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for row in rows:
        for label, text in row.labels.items():
            if text:
                lines[row.number, label].setdefault(text, row.line)

    def fault(row: Row) -> str:
        if not row.number:
            return f"its {number} is empty"
        for label in row.labels:
            if len(given := lines[row.number, label]) > 1:
                said = " and ".join(f"{text!r} in row {line}" for text, line in given.items())
                return f"the {label} of number {row.number} is {said}; keep one"
        return row.fault

    return [replace(row, fault=fault(row)) for row in rows]


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, date):
        return cell.isoformat()[:10]
    return str(cell).strip()


def _plain(text: str) -> str:
    """One spelling of a text: compatible characters, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _places(cells: Sequence[object], name: str) -> list[int]:
    wanted = _plain(name).casefold()
    return [at for at, cell in enumerate(cells) if _plain(_text(cell)).casefold() == wanted]


def _place(path: Path, cells: Sequence[object], name: str) -> int:
    found = _places(cells, name)
    if len(found) > 1:
        raise DataError(f"{path.name} has the column {name!r} {len(found)} times; rename one.")
    return found[0]


def _has(table: Table, header: int, names: Iterable[str]) -> bool:
    return len(table) >= header and all(_places(table[header - 1], name) for name in names)


def _misfit(
    path: Path, tables: Mapping[str, Table], header: int, options: Mapping[str, str]
) -> str:
    for row in range(1, _SEARCHED + 1):
        if any(_has(table, row, options) for table in tables.values()):
            return (
                f"{path.name} names the columns {_listed(options)} in row {row}, not in row "
                f"{header}: give the option header={row}."
            )
    heads = [table[header - 1] for table in tables.values() if len(table) >= header]
    head = max(heads, key=lambda cells: sum(map(bool, map(_text, cells))), default=[])
    missing = [name for name in options if not _places(head, name)]
    return (
        f"{path.name} has no column {_listed(missing)} in row {header}. Columns present: "
        f"{', '.join(filter(None, map(_text, head))) or 'none'}. Rename one, or give the name that "
        f"it bears as the option {options[missing[0]]}."
    )


def _listed(names: Iterable[str]) -> str:
    return " and ".join(map(repr, names))
