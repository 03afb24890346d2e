"""Whether every file of a folder is listed by a loader, or named in a rejection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePath

from echokit.types import ClipRef, Rejection

TABLES = frozenset(
    {".csv", ".tsv", ".xlsx", ".ods", ".json", ".toml", ".yaml", ".yml", ".xml", ".parquet"}
)
"""Suffixes of files that say something of clips and are none."""
ROWS = (".csv", ".tsv")
"""Suffixes of tables whose rows are lines of text."""


def unnamed(folder: Path, found: Iterable[ClipRef | Rejection], beside: Sequence[str]) -> list[str]:
    """Paths of the files below a folder that nothing of what was found names, sorted.

    A file is named by its path, by its name or by either without suffix, and by the path of a
    folder that it is in; each entry names one file, or one folder. What stands in a row of a table
    beside a file that is named, such as its mask, belongs to it. An entry that is an identifier and
    nothing else may stand for any one file.

    Args:
        folder: where to look; hidden files and tables are passed over.
        found: what `index()` lists.
        beside: patterns of files that are no clips of their own, such as `*_mask.npz`.
    """
    files = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    left = [file for file in files if not _passed_over(file, beside)]
    accounted: set[PurePath] = set()
    anonymous = 0
    for entry in found:
        names = [entry.where, entry.clip] if isinstance(entry, ClipRef) else [entry.where]
        named = _named(names, left, folder)
        if named:
            accounted |= named
            left = [file for file in left if file not in named]
        elif not _of_table(names, files):
            anonymous += 1
    belong = _beside_named(folder, files, accounted)
    left = [file for file in left if file not in belong]
    return [str(file) for file in left] if len(left) > anonymous else []


def _passed_over(file: PurePath, beside: Sequence[str]) -> bool:
    hidden = any(part.startswith(".") for part in file.parts)
    return (
        hidden
        or file.suffix.lower() in TABLES
        or any(fnmatch(str(file), pattern) or fnmatch(file.name, pattern) for pattern in beside)
    )


def _named(names: Sequence[str], files: Sequence[PurePath], folder: Path) -> set[PurePath]:
    """The files that the most exact way of reading the names finds."""
    said = [PurePath(name) for name in names if name]
    said += [path.relative_to(folder) for path in said if path.is_relative_to(folder)]
    for path in said:
        if path in files:
            return {path}
    for path in said:
        below = {file for file in files if path in file.parents and path.parts}
        if below:
            return below
    for path in said:
        for file in files:
            if path in (PurePath(file.name), file.with_suffix(""), PurePath(file.stem)):
                return {file}
    return set()


def _beside_named(folder: Path, files: Sequence[PurePath], named: set[PurePath]) -> set[PurePath]:
    """The files that share a row of a text table with one that is named."""
    belong: set[PurePath] = set()
    for table in files:
        if table.suffix.lower() in ROWS:
            for row in (folder / table).read_text("utf-8", errors="replace").splitlines():
                cells = {PurePath(cell.strip()) for cell in re.split('[,;\t"]', row)}
                places = cells | {table.parent / cell for cell in cells}
                there = {file for file in files if file in places}
                if there & named:
                    belong |= there
    return belong


def _of_table(names: Sequence[str], files: Sequence[PurePath]) -> bool:
    """True for `grades.csv, row 5` where there is a grades.csv, and for the table itself."""
    tables = [file.name for file in files if file.suffix.lower() in TABLES or file.name[0] == "."]
    return any(table in name for name in names for table in tables)
