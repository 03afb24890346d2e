"""A clinic's sheet of grades: its columns, its rows, and the grade of each patient."""

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
from echokit_io.budget import Budget
from echokit_io.csv_text import listed
from echokit_io.worksheets import read_tables
from echokit_io.xlsx import Table

GRADE = "grade"
"""Name of the label that holds the grade."""
_WHOLE = re.compile(r"0*([0-9]+)(?:[.,]0+)?")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,3}(?:[.,][0-9]{1,3})?")
_STEP = re.compile(r"([0-9]{1,3}) ?(?:bis|to|-|‐|–|—) ?([0-9]{1,3})", re.IGNORECASE)
SHOWN = 3
"""Number of contradictions that a message lists."""
_SEARCHED = 20
"""Number of first rows in which a misplaced header is searched for."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row below the header."""

    line: int
    """Number of the row in the sheet, from 1."""
    number: str
    """The patient's number; empty if the cell is empty."""
    labels: Mapping[str, str]
    """`grade` and the other requested labels; empty if the cell is empty."""
    fault: str = ""
    """Why the row cannot be used; empty if it can."""


def number_of(written: str) -> str:
    """Normalise a patient's number for exact comparison: whole numbers by value, others as written.

    `30`, `030` and a spreadsheet's `30.0` are one patient; `130`, `300` and `30a` are others.
    """
    plain = _plain(written)
    match = _WHOLE.fullmatch(plain)
    return match[1] if match else plain


def grade_of(written: str) -> str:
    """Normalise a grade to the spelling of a recipe's map; other text stays as written.

    A half step is written as two neighbouring grades (`1 bis 2`, `1-2`) or as a decimal with comma
    or point; each becomes `1.5`. `2.0` becomes `2`.
    """
    plain = _plain(written)
    if _DECIMAL.fullmatch(plain):
        return f"{float(plain.replace(',', '.')):g}"
    step = _STEP.fullmatch(plain)
    if step and int(step[2]) == int(step[1]) + 1:
        return f"{int(step[1]) + 0.5:g}"
    return written.strip()


def read_sheet(
    path: Path, *, number: str, grade: str, header: int, labels: Mapping[str, str], budget: Budget
) -> tuple[Row, ...]:
    """Read every row below the header that is not blank.

    Args:
        path: an .xlsx workbook, or a CSV in UTF-8 separated by semicolons, commas or tabs.
        number: name of the column of patients' numbers.
        grade: name of the column of grades.
        header: row of the sheet, from 1, that has the names of the columns.
        labels: label -> name of the column that it is copied from.
        budget: what reading may cost.

    Raises:
        DataError: the sheet cannot be read, or no worksheet, or several, have these columns.
    """
    tables = read_tables(path, budget)
    # column -> the option that names it, for the errors
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
    column = {name: _column(path, table[header - 1], name) for name in options}
    label_columns = {GRADE: column[grade]} | {label: column[name] for label, name in labels.items()}
    rows = [
        _row(line, cells, column[number], label_columns)
        for line, cells in enumerate(table[header:], start=header + 1)
        if any(map(_text, cells))
    ]
    return tuple(_checked(rows, number))


def _row(line: int, cells: Sequence[object], number: int, labels: Mapping[str, int]) -> Row:
    def cell(column: int) -> object:
        return cells[column] if column < len(cells) else None

    texts = {label: _text(cell(column)) for label, column in labels.items()}
    fault = ""
    if isinstance(cell(labels[GRADE]), date):
        fault = "its grade is a date, which spreadsheets make of 1-2: write 1.5"
    texts[GRADE] = grade_of(texts[GRADE])
    return Row(line, number_of(_text(cell(number))), MappingProxyType(texts), fault)


def _checked(rows: Sequence[Row], number: str) -> list[Row]:
    """Mark rows that contradict each other: a patient's rows may only repeat or omit a label."""
    lines: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for row in rows:
        for label, text in row.labels.items():
            if text:
                lines[row.number, label].setdefault(text, row.line)

    def fault(row: Row) -> str:
        if not row.number:
            return f"its {number} is empty"
        for label in row.labels:
            if len(written := lines[row.number, label]) > 1:
                some = list(written.values())[
                    :SHOWN
                ]  # a sheet of one number would grow as a square
                rows = " and ".join(map(str, some))
                return f"rows {rows} give its number another {label} each; keep one"
        return row.fault

    return [replace(row, fault=fault(row)) for row in rows]


def _text(cell: object) -> str:
    """Return a cell as text, as the spreadsheet shows it."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, date):
        return cell.isoformat()[:10]
    return str(cell).strip()


def _plain(text: str) -> str:
    """Normalise the characters and spaces of a text."""
    # NFKC turns full-width digits and no-break spaces into plain ones
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _columns(header: Sequence[object], name: str) -> list[int]:
    """Find the columns of a name in a header, without regard to case and spaces."""
    folded = _plain(name).casefold()
    return [i for i, cell in enumerate(header) if _plain(_text(cell)).casefold() == folded]


def _column(path: Path, header: Sequence[object], name: str) -> int:
    columns = _columns(header, name)
    if len(columns) > 1:
        raise DataError(f"{path.name} has the column {name!r} {len(columns)} times; rename one.")
    return columns[0]


def _has(table: Table, header: int, names: Iterable[str]) -> bool:
    return len(table) >= header and all(_columns(table[header - 1], name) for name in names)


def _misfit(
    path: Path, tables: Mapping[str, Table], header: int, options: Mapping[str, str]
) -> str:
    """Explain why no worksheet has the columns, and name the option to give."""
    for row in range(1, _SEARCHED + 1):
        if any(_has(table, row, options) for table in tables.values()):
            return (
                f"{path.name} names the columns {_listed(options)} in row {row}, not in row "
                f"{header}: give the option header={row}."
            )
    heads = [table[header - 1] for table in tables.values() if len(table) >= header]
    # show the header with the most names: of a CSV that is the one with the right separator
    head = max(heads, key=lambda cells: sum(map(bool, map(_text, cells))), default=[])
    missing = [name for name in options if not _columns(head, name)]
    present = listed(list(filter(None, map(_text, head))))
    return (
        f"{path.name} has no column {_listed(missing)} in row {header}. Columns present: "
        f"{present or 'none'}. Rename one, or give the name that "
        f"it bears as the option {options[missing[0]]}."
    )


def _listed(names: Iterable[str]) -> str:
    return " and ".join(map(repr, names))
