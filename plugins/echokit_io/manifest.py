"""The CSV that lists a cohort: which clip is of whom, in which view, with which labels."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from echokit import ClipRef, DataError, Rejection
from echokit_io.naming import canonical
from echokit_io.recognise import stem

NEEDED = ("patient", "view", "file")
OPTIONAL = ("clip", "masks", "synthetic")
YES = frozenset({"1", "true", "yes"})
NO = frozenset({"0", "false", "no", ""})


@dataclass(frozen=True, slots=True)
class Row:
    """One row that names a clip."""

    ref: ClipRef
    path: Path
    masks: Path | None
    line: int
    """Line of the CSV, the header being line 1."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest lists."""

    rows: tuple[Row | Rejection, ...]
    mentioned: frozenset[Path]
    """The manifest, and every file that a row names, be it used or not."""

    @property
    def clips(self) -> dict[str, Row]:
        """The rows that can be used, by clip."""
        return {row.ref.clip: row for row in self.rows if isinstance(row, Row)}


def read_manifest(path: Path, columns: Mapping[str, str], view: str | None) -> Manifest:
    """Read a manifest: every row becomes a clip or is refused by name; no clip is opened.

    Of rows that name the same clip or the same file all are refused: which of them is right
    cannot be told.

    Args:
        path: the CSV, in UTF-8, separated by commas, semicolons or tabs.
        columns: wanted name -> the name that a column bears.
        view: the view of every clip; None reads it from the column.

    Raises:
        DataError: the CSV cannot be read, or a column is missing; those present are listed.
    """
    header, body = _read_table(path)
    header = _rename(path, header, columns)
    missing = [name for name in NEEDED if name not in header and not (name == "view" and view)]
    if missing:
        raise DataError(
            f"The manifest {path.name} has no column {' or '.join(map(repr, missing))}. Columns "
            f"present: {', '.join(header)}. Rename one, or give the name that it "
            f"bears as the option columns.{missing[0]}."
        )
    rows = [_row(path, line, header, cells, view) for line, cells in body]
    mentioned = {
        path.parent / os.path.normpath(cell.replace("\\", "/"))
        for _, cells in body
        for name, cell in zip(header, cells, strict=False)
        if name in ("file", "masks") and cell
    }
    rows = _refuse_twins(rows, lambda row: row.ref.clip, "name the clip")
    rows = _refuse_twins(rows, lambda row: os.path.realpath(row.path), "name the file of")
    return Manifest(tuple(rows), frozenset({path, *mentioned}))


def _read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            separator = max(",;\t", key=first.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, strict=True)
            table = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except UnicodeDecodeError:
        raise DataError(
            f"The manifest {path.name} is not in UTF-8; save it as `CSV UTF-8`."
        ) from None
    except (csv.Error, OSError) as error:
        raise DataError(f"The manifest {path.name} cannot be read as CSV: {error}.") from None
    filled = [(line, cells) for line, cells in table if any(cells)]
    if not filled:
        raise DataError(
            f"The manifest {path.name} is empty; its first line names the columns "
            f"{', '.join(NEEDED)} and the labels."
        )
    return filled[0][1], filled[1:]


def _rename(path: Path, header: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    absent = [name for name in columns.values() if name not in header]
    if absent:
        raise DataError(
            f"The manifest {path.name} has no column {absent[0]!r}, which the option `columns` "
            f"names. Columns present: {', '.join(header)}."
        )
    wanted = {borne: name for name, borne in columns.items()}
    renamed = [wanted.get(name, name) for name in header]
    twice = [name for name in renamed if name and renamed.count(name) > 1]
    if twice:
        raise DataError(f"The manifest {path.name} has the column {twice[0]!r} twice; rename one.")
    return renamed


def _row(
    manifest: Path, line: int, header: Sequence[str], cells: Sequence[str], view: str | None
) -> Row | Rejection:
    named = dict(zip(header, cells, strict=False))
    written = {name: named.get(name, "") for name in header if name}
    clip = written.get("clip") or _without_suffix(written["file"])
    where, patient = clip or f"{manifest.name}, line {line}", written["patient"]
    own = view or canonical(written.get("view", "")) or None

    def refuse(reason: str) -> Rejection:
        return Rejection(where, f"{manifest.name}, line {line}: {reason}", patient or None, own)

    if len(cells) > len(header) and any(cells[len(header) :]):
        return refuse(f"it has {len(cells)} cells under {len(header)} columns")
    if not patient:
        return refuse("its patient is empty")
    flag = written.get("synthetic", "").lower()
    if flag not in YES | NO:
        return refuse(f"its synthetic is {written['synthetic']!r}; write 1, true, yes, or nothing")
    places: list[Path | None] = []
    for column in ("file", "masks"):
        place = _resolve(manifest.parent, written.get(column, ""))
        if isinstance(place, str):
            return refuse(f"its {column} {written[column]!r} {place}")
        places.append(place)
    file, masks = places
    if file is None:
        return refuse("its file is empty")
    used = {*NEEDED, *OPTIONAL}
    ref = ClipRef(
        clip=clip,
        patient=patient,
        view=own,
        labels=MappingProxyType({k: v for k, v in written.items() if k not in used}),
        where=written["file"],
        synthetic=flag in YES,
    )
    return Row(ref, file, masks, line)


def _without_suffix(file: str) -> str:
    path = PurePosixPath(file.replace("\\", "/"))
    return str(path.with_name(stem(path.name))) if path.name else ""


def _resolve(folder: Path, written: str) -> Path | str | None:
    """The path that a cell names, None if it is empty, or what is wrong with it.

    A relative path may not leave the manifest's folder: a manifest travels with its files. An
    absolute one is its author's own decision.
    """
    if not written:
        return None
    if "\0" in written:
        return "holds a NUL character"
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
    rows: Sequence[Row | Rejection], key: Callable[[Row], str], what: str
) -> list[Row | Rejection]:
    lines: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if isinstance(row, Row):
            lines[key(row)].append(row.line)

    def judged(row: Row | Rejection) -> Row | Rejection:
        if isinstance(row, Rejection) or len(lines[key(row)]) == 1:
            return row
        ref, twins = row.ref, " and ".join(map(str, lines[key(row)]))
        return Rejection(
            ref.clip, f"lines {twins} {what} {ref.clip!r}; keep one", ref.patient, ref.view
        )

    return [judged(row) for row in rows]


def flagged(row: Row, synthetic: bool) -> ClipRef:
    """The row's reference, marked as synthetic if the row or the file says so."""
    return replace(row.ref, synthetic=row.ref.synthetic or synthetic)
