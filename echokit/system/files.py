"""Write files and folders that appear whole or not at all: beside their place, then renamed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to: it becomes `path` when the block ends well, else it is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill: it becomes `path` when the block ends well, else it is removed.

    Args:
        path: where it is to stand; an empty folder there is replaced.

    Raises:
        OSError: something is at `path` when the block ends; it stays as it is.
    """
    with unfinished_folder(path) as partial:
        yield partial
        with suppress(FileNotFoundError):
            path.rmdir()
        partial.rename(path)


@contextmanager
def unfinished_folder(path: Path) -> Iterator[Path]:
    """Make a hidden folder beside `path` to fill and rename; what was not renamed is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.mkdir()
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with whole_file(path) as partial:
        partial.write_text(text, "utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole, indented, refusing values that JSON has no word for (NaN)."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text("utf-8"))
