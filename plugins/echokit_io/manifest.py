"""The CSV that lists a cohort: the patient, view, file and labels of each clip."""

from __future__ import annotations

import csv
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from echokit import ClipRef, DataError, Rejection
from echokit_io.budget import Budget
from echokit_io.csv_text import listed, read_text, rows_of
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


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a manifest."""

    rows: tuple[Row | Rejection, ...]
    """One element for each line below the header."""
    mentioned: frozenset[Path]
    """The manifest, and every file that a row names, used or not."""

    clips: Mapping[str, Row] = field(init=False)
    """The usable rows by clip."""

    def __post_init__(self) -> None:
        usable = {row.ref.clip: row for row in self.rows if isinstance(row, Row)}
        object.__setattr__(self, "clips", MappingProxyType(usable))


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
    mentioned = {
        path.parent / os.path.normpath(cell.replace("\\", "/"))
        for _, cells in body
        for name, cell in zip(header, cells, strict=False)
        if name in ("file", "masks") and cell
    }
    rows = _refuse_twins(rows, lambda row: row.ref.clip, "name the clip")
    # resolved, so that two links to one file are the same file
    rows = _refuse_twins(rows, lambda row: os.path.realpath(row.path), "name the file of")
    return Manifest(tuple(rows), frozenset({path, *mentioned}))


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
    where, patient = clip or f"{manifest.name}, line {line}", written["patient"]
    clip_view = view or canonical(written.get("view", "")) or None

    def refuse(reason: str) -> Rejection:
        return Rejection(
            where, f"{manifest.name}, line {line}: {reason}", patient or None, clip_view
        )

    if len(cells) > len(header) and any(cells[len(header) :]):
        return refuse(f"it has {len(cells)} cells under {len(header)} columns")
    if damaged:
        return refuse("it holds a NUL character")
    if not patient:
        return refuse("its patient is empty")
    flag = written.get("synthetic", "").lower()
    if flag not in YES | NO:
        return refuse(f"its synthetic is {written['synthetic']!r}; write 1, true, yes, or nothing")
    paths: list[Path | None] = []
    for column in ("file", "masks"):
        path = _resolve(manifest.parent, written.get(column, ""))
        if isinstance(path, str):
            return refuse(f"its {column} {written[column]!r} {path}")
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
    return Row(ref, file, masks, line)


def _without_suffix(file: str) -> str:
    path = PurePosixPath(file.replace("\\", "/"))
    return str(path.with_name(stem(path.name))) if path.name else ""


def _resolve(folder: Path, written: str) -> Path | str | None:
    """Find the path that a cell names; returns None if it is empty, and a text if it is wrong.

    A relative path may not leave the manifest's folder, because a manifest is moved together with
    its files. An absolute path is the author's decision.
    """
    if not written:
        return None
    path = folder / written
    if "\\" in written and not os.path.lexists(path):  # written on Windows
        written = written.replace("\\", "/")
        path = folder / written
    inside = os.path.normpath(folder / written)
    if not Path(written).is_absolute() and not Path(inside).is_relative_to(
        os.path.normpath(folder)
    ):
        return "leads out of the manifest's folder; move the file into it, or write the whole path"
    try:
        return path if path.exists() else f"does not exist in {folder.name or folder}"
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
        return Rejection(
            ref.clip, f"lines {twins} {problem} {ref.clip!r}; keep one", ref.patient, ref.view
        )

    return [checked(row) for row in rows]


def flagged(row: Row, synthetic: bool) -> ClipRef:
    """Return the row's reference, marked as synthetic if the row or the file states it."""
    return replace(row.ref, synthetic=row.ref.synthetic or synthetic)
