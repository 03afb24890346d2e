"""Write files and folders that appear whole or not at all.

Everything is written beside its final path and then renamed, so that a reader never meets half of
a file, and a run that was killed leaves nothing that looks finished.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PRIVATE = 0o700
"""Mode of folders that may hold patients' pixels."""


def private_folder(path: Path) -> None:
    """Make a folder that only its owner may open; one that is there already stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(PRIVATE, exist_ok=True)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file whole: give a path to write to, and rename it to `path` if the block succeeds.

    If the block fails, the partial file is removed and an older `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Write a folder whole: give an empty folder, and rename it to `path` if the block succeeds.

    Args:
        path: its final path; an empty folder there is replaced.

    Raises:
        OSError: `path` exists and is not an empty folder; it stays as it is.
    """
    with unfinished_folder(path) as partial:
        yield partial
        with suppress(FileNotFoundError):
            path.rmdir()
        partial.rename(path)


@contextmanager
def unfinished_folder(path: Path) -> Iterator[Path]:
    """Make a hidden folder beside `path`; the block fills and renames it, or it is removed.

    Only its owner may open it, also once it is renamed: it may hold patients' pixels.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.mkdir(PRIVATE)
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with whole_file(path) as partial:
        partial.write_text(text, "utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write an indented JSON file whole; raise `ValueError` for NaN and infinity, not JSON."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text("utf-8"))
