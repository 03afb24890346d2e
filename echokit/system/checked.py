"""Read what echokit wrote itself: whole and of the expected form, or refused by the file's name.

Every JSON, CSV and Parquet file of a run or a bundle is read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.errors import DamagedError
from echokit.system.sheets import unquote_cell

if TYPE_CHECKING:
    import pandas as pd

LEVELS = 6
"""How many folders above a file are searched for the run or the bundle that it belongs to."""


def read_json(path: Path, *keys: str) -> Any:
    """Read a JSON file; with keys, an object that has all of them.

    Raises:
        DamagedError: the file is missing, is not JSON, or lacks a key.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    if keys:
        if not isinstance(value, Mapping):
            raise damaged(path, f"an object was expected, not {type(value).__name__}")
        if missing := [key for key in keys if key not in value]:
            raise damaged(path, f"it lacks {', '.join(map(repr, missing))}")
    return value


def read_rows(path: Path, keys: Iterable[str], name: str = "rows") -> list[dict[str, Any]]:
    """Read the list of rows of a JSON file; every row is an object that has all keys.

    Raises:
        DamagedError: the file is damaged, or a row lacks a key.
    """
    rows = read_json(path, name)[name]
    wanted = tuple(keys)
    if not isinstance(rows, list):
        raise damaged(path, f"{name!r} is no list")
    for row in rows:
        if not isinstance(row, dict) or any(key not in row for key in wanted):
            raise damaged(path, f"a row of {name!r} lacks one of {', '.join(wanted)}")
    return rows


def read_csv(path: Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read a CSV file as texts; an empty cell is an empty text.

    Raises:
        DamagedError: the file is damaged, or lacks a column.
    """
    import pandas as pd

    try:
        # '030' and '30' are two patients
        table = pd.read_csv(path, dtype=str, keep_default_na=False).map(unquote_cell)
    except (OSError, ValueError) as error:  # the parser's errors are ValueErrors
        raise damaged(path, error) from error
    return _with_columns(path, table, columns)


def read_parquet(path: Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read a Parquet file; one without any column is an empty table.

    Raises:
        DamagedError: the file is damaged, or lacks a column.
    """
    import pandas as pd

    try:
        table = pd.read_parquet(path)
    except Exception as error:  # flipped bits make pyarrow raise errors of many classes
        raise damaged(path, error) from error
    return _with_columns(path, table, columns if len(table.columns) else ())


def _with_columns(path: Path, table: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    for column in columns:
        if column not in table:
            raise damaged(path, f"it has no column {column!r}")
    return table


def damaged(path: Path, reason: object) -> DamagedError:
    """Make the error about a damaged file: what is wrong with it, and what to type.

    Args:
        path: the file.
        reason: what is wrong, or the error of a library that could not read the file.
    """
    return DamagedError(f"{path} is damaged: {_words(reason)}. {what_to_type(path)}")


def _words(reason: object) -> str:
    if isinstance(reason, FileNotFoundError):
        return "it is missing"
    if isinstance(reason, UnicodeDecodeError):
        return "it is not a text in UTF-8"
    if isinstance(reason, json.JSONDecodeError):
        return f"it is not JSON ({reason})"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    lines = str(reason).strip().splitlines()
    first = re.sub(r"\s+", " ", lines[0]) if lines else ""
    return (first or type(reason).__name__)[:200].rstrip(". ")


def what_to_type(path: Path) -> str:
    """Say how a file is made again, by the run or the bundle that it belongs to."""
    for folder in [*path.parents][:LEVELS]:
        if (folder / "bundle.json").is_file():
            return "Copy the bundle again, whole, or export it again."
        if (folder / "recipe.toml").is_file():
            return f"Type `echokit run --resume {folder}` to make it again."
    return "Make it again, or copy it again from where it came from."
