"""Remove what killed processes left: partial files, partial folders and temporary folders.

What belongs to a living process, or to a process of another machine, stays.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from echokit.system.processes import NAME, Process, this_process

SCRATCH = "echokit"
"""First word of the names of temporary folders."""
OLD = 86400.0
"""Seconds after which a partial file of an earlier version, which names no machine, may go."""
_PARTIAL = re.compile(rf"\..+\.{NAME}\.part(\.\w+)?")
_SCRATCH = re.compile(rf"{SCRATCH}-{NAME}-\w+")
_EARLIER = re.compile(r"\..+\.(?P<pid>\d+)(\.\w+)?")


def partial_path(path: Path) -> Path:
    """Return the hidden path beside a file or folder at which this process writes it."""
    return path.with_name(f".{path.stem}.{this_process()}.part{path.suffix}")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a temporary folder of mode 0700; it is removed after the block.

    Those of killed processes are removed first.
    """
    import tempfile  # takes as long to import as this whole file, and few commands need it

    sweep_scratch()
    with tempfile.TemporaryDirectory(prefix=f"{SCRATCH}-{this_process()}-") as folder:
        yield Path(folder)


def sweep_scratch() -> None:
    """Remove temporary folders of processes that are dead."""
    import tempfile

    for path in _matching(Path(tempfile.gettempdir()), f"{SCRATCH}-*"):
        if _is_dead(_SCRATCH.fullmatch(path.name)):
            _remove(path)


def sweep(folder: Path, *, deep: bool = False) -> None:
    """Remove partial files and folders of dead processes in a folder.

    Args:
        folder: the folder; one that does not exist holds none.
        deep: also in all folders below it.
    """
    for path in _matching(folder, ".*", deep):
        if _is_dead(_PARTIAL.fullmatch(path.name)) or _is_earlier(path):
            _remove(path)


def _matching(folder: Path, pattern: str, deep: bool = False) -> list[Path]:
    with suppress(OSError):
        return list(folder.rglob(pattern) if deep else folder.glob(pattern))
    return []


def _is_dead(match: re.Match[str] | None) -> bool:
    return match is not None and (
        Process(match["host"], int(match["pid"]), match["started"]).is_dead
    )


def _is_earlier(path: Path) -> bool:
    """Return True for a partial file of an earlier version that is old and of a dead process."""
    match = _EARLIER.fullmatch(path.name)
    if match is None or not Process(this_process().host, int(match["pid"]), "0").is_dead:
        return False
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > OLD
    return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
