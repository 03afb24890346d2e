"""Write files and folders that appear whole or not at all.

Everything is written beside its final path, brought to the disk and then renamed, so that a reader
never meets half of a file, and neither a killed run nor a machine that stops leaves anything that
looks finished.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from echokit.system.leftovers import partial_path

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

    Raises:
        OSError: the file cannot be written; the error names `path`.
    """
    partial = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        _to_disk(partial)
        partial.replace(path)
        _to_disk(path.parent)
    except OSError as error:
        named = _about(error, path, partial)
        if named is error:
            raise
        raise named from error
    finally:
        with suppress(OSError):
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
        for file in partial.rglob("*"):
            _to_disk(file)
        with suppress(FileNotFoundError):
            path.rmdir()
        partial.rename(path)
        _to_disk(path.parent)


@contextmanager
def unfinished_folder(path: Path) -> Iterator[Path]:
    """Make a hidden folder beside `path`; the block fills and renames it, or it is removed.

    Only its owner may open it, also once it is renamed: it may hold patients' pixels.

    Raises:
        OSError: the folder cannot be written; an error without a file names `path`.
    """
    partial = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir(PRIVATE)
        yield partial
    except OSError as error:
        named = _about(error, path, partial)
        if named is error:
            raise
        raise named from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _about(error: OSError, path: Path, partial: Path) -> OSError:
    """Return an error of the system that names the file; libraries leave its name and words out."""
    given = error.filename
    named = os.fsdecode(given) if isinstance(given, str | bytes | os.PathLike) else str(partial)
    if error.errno is None or not named.startswith(str(partial)):
        return error
    return OSError(error.errno, os.strerror(error.errno), str(path))


ADVICE = {
    errno.ENOSPC: "Free some space there",
    errno.EDQUOT: "Free some of your quota there",
    errno.EFBIG: "Raise the limit on the size of files (`ulimit -f`)",
    errno.EACCES: "Choose a folder that you may write to",
    errno.EPERM: "Choose a folder that you may write to",
    errno.EROFS: "Choose a folder that you may write to",
    errno.EMFILE: "Raise the limit on open files (`ulimit -n`)",
}
"""Number of a system's error -> what to do about it."""


def system_sentence(error: OSError) -> str:
    """Say what the system refused, of which file, and what to do about it."""
    number = error.errno or 0
    named = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    advice = ADVICE.get(number)
    told = f"{named}: {reason}." if named else f"{reason}."
    if advice is None:
        return told
    return f"{told} {advice}, and type the command again; a run goes on with --resume."


def _to_disk(path: Path) -> None:
    """Bring what was written to the disk, as far as the filesystem can."""
    if path.is_symlink() or (os.name == "nt" and path.is_dir()):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES):
            raise
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with whole_file(path) as partial:
        partial.write_text(text, "utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write an indented JSON file whole; raise `ValueError` for NaN and infinity, not JSON."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
