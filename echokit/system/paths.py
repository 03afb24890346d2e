"""Resolve paths and names that come from a file, and refuse what leaves its folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from echokit.errors import DataError

LONGEST = 64
"""Characters of the longest name that becomes a file or a folder."""
_NAME = re.compile(r"\w(?:[\w .,+&()-]*[\w+()-])?")


def name_problem(name: str) -> str:
    """State why a name cannot become a file or a folder; empty if it can."""
    if _NAME.fullmatch(name) and len(name) <= LONGEST:
        return ""
    return (
        f"the name {name!r} becomes a file: begin with a letter or a digit, and type letters, "
        f"digits, spaces and _ - + . , & ( ) only, {LONGEST} at most, as in {_example(name)!r}"
    )


def _example(name: str) -> str:
    """Make the nearest name that is accepted."""
    near = re.sub(r"[^\w .,+&()-]+|\.\.+", "-", name).strip(" .,+&()-")[:LONGEST].strip(" .,&")
    return near or "name"


def resolve_below(root: Path, written: str, source: Path) -> Path:
    """Resolve a path that stands in a file, without leaving a folder.

    Links are followed: what they point to must be in the folder too.

    Args:
        root: the folder.
        written: the path as it is written, relative to the folder.
        source: the file in which it is written, for the error.

    Raises:
        DataError: the path is empty, holds a NUL character or leads out of the folder.
    """
    if not written or "\0" in written:
        raise DataError(f"{source} names no file: {written!r}. Copy the folder again, whole.")
    if not is_below(root, root / written):
        raise DataError(
            f"{source} names {written!r}, which leads out of {root}. Copy the file into the folder."
        )
    return root / written


def is_below(root: Path, path: Path) -> bool:
    """Return True if a path lies in a folder once links are followed on both sides."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
