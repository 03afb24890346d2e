"""The CSV that lists a cohort: the patient, view, file and labels of each clip."""

from __future__ import annotations

import csv
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from echokit import ClipRef, DataError, Rejection, is_below
from echokit_io.budget import Budget
from echokit_io.csv_text import listed, read_text, rows_of
from echokit_io.discreet import LINE
from echokit_io.naming import canonical
from echokit_io.recognise import stem

NEEDED = ("patient", "view", "file")
"""Columns that a manifest must have."""
OPTIONAL = ("clip", "masks", "synthetic")
"""Columns that are not labels either."""
YES = frozenset({"1", "true", "yes"})
NO = frozenset({"0", "false", "no", ""})
"""Values of the column `synthetic`, in lower case."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row that names a clip."""

    ref: ClipRef
    """Reference of the clip."""
    path: Path
    """The clip's file."""
    masks: Path | None
    """The file of its ground truth; None if it has none."""
    line: int
    """Line of the CSV, from 1 for the header."""
    explicit: bool
    """True if the column `clip` names the clip, and not its file."""


@dataclass(frozen=True)
class Manifest:
    """The content of a manifest."""

    rows: tuple[Row | Rejection, ...]
    """One element for each line below the header."""
    mentioned: frozenset[Path]
    """The manifest, and every file that a row names, used or not."""

    explicit: frozenset[str]
    """Identifiers of clips in the column `clip`."""

    @cached_property
    def by_file(self) -> dict[str, Row]:
        """The usable rows by their file as written."""
        return {row.ref.where: row for row in self.rows if isinstance(row, Row)}


def read_manifest(
    path: Path, columns: Mapping[str, str], view: str | None, budget: Budget
) -> Manifest:
    """Read a manifest: every row becomes a clip or is refused with a reason; opens no clip.

    Rows that name the same clip or the same file are all refused, because nothing tells which of
    them is right.

    Args:
        path: the CSV, in UTF-8, separated by commas, semicolons or tabs.
        columns: name that is needed -> name of the manifest's column.
        view: the view of every clip; None reads it from the column.
        budget: what reading may cost.

    Raises:
        DataError: the CSV cannot be read or is larger than allowed, or a column is missing; those
            present are listed.
    """
    header, body = _read_table(path, budget)
    header = _rename(path, header, columns)
    missing = [name for name in NEEDED if name not in header and not (name == "view" and view)]
    if missing:
        raise DataError(
            f"The manifest {path.name} has no column {' or '.join(map(repr, missing))}. Columns "
            f"present: {listed(header)}. Rename one, or give its "
            f"present name as the option columns.{missing[0]}."
        )
    rows = [_row(path, line, header, cells, view) for line, cells in body]
    explicit = frozenset(
        cells[header.index("clip")]
        for _, cells in body
        if "clip" in header and len(cells) > header.index("clip")
    )
    mentioned = {
        path.parent / os.path.normpath(cell.replace("\\", "/"))
        for _, cells in body
        for name, cell in zip(header, cells, strict=False)
        if name in ("file", "masks") and cell
    }
    rows = _refuse_twins(rows, lambda row: row.ref.clip, "name the same clip")
    # resolved, so that two links to one file are the same file
    rows = _refuse_twins(rows, lambda row: os.path.realpath(row.path), "name the same file")
    return Manifest(tuple(rows), frozenset({path, *mentioned}), explicit - {""})


def _read_table(path: Path, budget: Budget) -> tuple[list[str], list[tuple[int, list[str]]]]:
    name = f"The manifest {path.name}"
    text = read_text(path, name, budget)
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)  # German spreadsheets write semicolons
    try:
        table = [
            (line, [cell.strip() for cell in cells])
            for line, cells in rows_of(text, separator, name, budget)
        ]
    except csv.Error as error:
        raise DataError(f"The manifest {path.name} cannot be read as CSV: {error}.") from None
    filled = [(line, cells) for line, cells in table if any(cells)]
    if not filled:
        raise DataError(
            f"The manifest {path.name} is empty; its first line names the columns "
            f"{', '.join(NEEDED)} and the labels."
        )
    if "\0" in "".join(filled[0][1]):
        raise DataError(f"{name} holds a NUL character in its first line: it is no list of clips.")
    return filled[0][1], filled[1:]


def _rename(path: Path, header: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    """Rename the columns by the option `columns`."""
    # later cohorts need not have the names of the columns that networks were trained with
    columns = {
        name: present
        for name, present in columns.items()
        if present in header or not (name in header or name not in NEEDED)
    }
    absent = [name for name in columns.values() if name not in header]
    if absent:
        raise DataError(
            f"The manifest {path.name} has no column {absent[0]!r}, which the option `columns` "
            f"names. Columns present: {listed(header)}."
        )
    needed = {present: name for name, present in columns.items()}
    renamed = [needed.get(name, name) for name in header]
    twice = [name for name, times in Counter(renamed).items() if name and times > 1]
    if twice:
        raise DataError(f"The manifest {path.name} has the column {twice[0]!r} twice; rename one.")
    return renamed


def _row(
    manifest: Path, line: int, header: Sequence[str], cells: Sequence[str], view: str | None
) -> Row | Rejection:
    damaged = "\0" in "".join(cells)
    cells = [cell.replace("\0", "\N{REPLACEMENT CHARACTER}") for cell in cells]
    by_column = dict(zip(header, cells, strict=False))
    written = {name: by_column.get(name, "") for name in header if name}
    clip = written.get("clip") or _without_suffix(written["file"])
    where, patient = written.get("clip") or LINE.format(line), written["patient"]
    clip_view = view or canonical(written.get("view", "")) or None

    def refuse(reason: str) -> Rejection:
        return Rejection(where, f"line {line}: {reason}", patient or None, clip_view)

    if len(cells) > len(header) and any(cells[len(header) :]):
        return refuse(f"it has {len(cells)} cells under {len(header)} columns")
    if damaged:
        return refuse("it holds a NUL character")
    if not patient:
        return refuse("its patient is empty")
    flag = written.get("synthetic", "").lower()
    if flag not in YES | NO:
        return refuse("its cell `synthetic` is none of 1, true, yes and nothing")
    paths: list[Path | None] = []
    for column in ("file", "masks"):
        path = _resolve(manifest.parent, written.get(column, ""))
        if isinstance(path, str):
            return refuse(f"its {column} {path}")
        paths.append(path)
    file, masks = paths
    if file is None:
        return refuse("its file is empty")
    not_labels = {*NEEDED, *OPTIONAL}
    ref = ClipRef(
        clip=clip,
        patient=patient,
        view=clip_view,
        labels=MappingProxyType({k: v for k, v in written.items() if k not in not_labels}),
        where=written["file"],
        synthetic=flag in YES,
    )
    return Row(ref, file, masks, line, bool(written.get("clip")))


def _without_suffix(file: str) -> str:
    path = PurePosixPath(file.replace("\\", "/"))
    return str(path.with_name(stem(path.name))) if path.name else ""


def _resolve(folder: Path, written: str) -> Path | str | None:
    """Find the path that a cell names; returns None if it is empty, and a text if it is wrong.

    A relative path may not leave the manifest's folder, not even by a link in it, because a
    manifest is moved together with its files. An absolute path is the author's decision.
    """
    if not written:
        return None
    path = folder / written
    if "\\" in written and not os.path.lexists(path):  # written on Windows
        written = written.replace("\\", "/")
        path = folder / written
    if not Path(written).is_absolute() and not is_below(folder, path):
        return "leads out of the manifest's folder; move the file into it, or write the whole path"
    try:
        return path if path.exists() else "does not exist in the manifest's folder"
    except OSError as error:
        return f"cannot be reached: {error.strerror}"


def _refuse_twins(
    rows: Sequence[Row | Rejection], key: Callable[[Row], str], problem: str
) -> list[Row | Rejection]:
    """Refuse all rows that share a key with another row."""
    lines: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if isinstance(row, Row):
            lines[key(row)].append(row.line)

    def checked(row: Row | Rejection) -> Row | Rejection:
        if isinstance(row, Rejection) or len(lines[key(row)]) == 1:
            return row
        ref, twins = row.ref, listed(lines[key(row)], " and ")
        where = ref.clip if row.explicit else LINE.format(row.line)
        return Rejection(where, f"lines {twins} {problem}; keep one", ref.patient, ref.view)

    return [checked(row) for row in rows]


def flagged(row: Row, synthetic: bool) -> ClipRef:
    """Return the row's reference, marked as synthetic if the row or the file states it."""
    return replace(row.ref, synthetic=row.ref.synthetic or synthetic)
