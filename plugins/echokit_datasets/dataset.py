"""What a public data set is to its loader: its layout, its clips and what is published of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from echokit import Clip, ClipRef, DataError, Rejection, is_below
from echokit_datasets.tables import listed

SIDE = "side"
"""Label with the published split as `train` and `test`, for `split.method = "file"`."""
_NAME = re.compile(r"[\w+-][\w .,+()&-]*")
"""A name that can be shown and that stays in its folder."""


@dataclass(frozen=True, slots=True)
class Found:
    """A clip of a data set, or why it is none, with the file that belongs to it."""

    item: ClipRef | Rejection
    """The clip, or its rejection."""
    file: str = ""
    """Its file below the folder, whether or not it can be used; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What the files beside a clip's own say of it."""

    fps: float | None = None
    """Frames per second; None where nothing states them. The clip's own file is not asked."""
    masks: str = ""
    """File of the label map of every frame, below the folder; empty where there is none."""
    structures: tuple[str, ...] = ()
    """Name of each label in it, label 1 first."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number that a publication states."""

    number: int
    """How many there are."""
    of: str = "clips"
    """What is counted: `clips`, `patients`, `view`, or a label."""
    value: str = ""
    """The view or the value of the label, of which clips are counted."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A public data set in one folder."""

    name: str
    """Name of its loader."""
    title: str
    """Its published name."""
    expected: str
    """What its folder holds, for messages."""
    check: Callable[[Path], None]
    """Raises a DataError if a folder is laid out otherwise."""
    find: Callable[[Path], Iterable[Found]]
    """Lists the clips of a folder."""
    suffixes: tuple[str, ...]
    """Suffixes of the files of its clips."""
    counts: tuple[Count, ...] = ()
    """What is published of it."""
    known: tuple[str, ...] = ()
    """Patterns of files that belong to it and are no clips."""
    beside: Callable[[Path, ClipRef], Beside] | None = None
    """Finds what stands beside a clip; None where a clip's own file says everything."""
    still: Callable[[Path], Clip] | None = None
    """Reads a still as a clip of one frame; None of clips, which the loader `files` reads."""
    remarks: Callable[[Path, Sequence[ClipRef]], Iterable[str]] = lambda root, clips: ()
    """What else a user should know of the clips, in a sentence each."""


def open_folder(source: str, name: str, expected: str) -> Path:
    """Return the folder that a source names.

    Raises:
        DataError: there is none.
    """
    path = Path(source).expanduser()
    try:
        if source and path.is_dir():
            return path
    except (OSError, ValueError):  # a name that the file system refuses
        pass
    shown = f"There is no folder {source!r}." if source else f"The loader {name!r} has no source."
    raise DataError(f"{shown} Give the folder of the data set: {expected}. It is not downloaded.")


def names_in(folder: Path) -> list[str]:
    """Return the names of a folder's files and folders that are not hidden, sorted.

    Raises:
        DataError: the folder cannot be listed.
    """
    try:
        return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder.name} cannot be listed: {error.strerror}.") from None


def wrong_layout(root: Path, title: str, expected: str, problem: str) -> DataError:
    """Make the error of a folder in another layout: what was expected, what is there."""
    present = names_in(root) if root.is_dir() else []
    return DataError(
        f"The folder {root.name!r} is not laid out as {title}: {problem}. Expected: {expected}. "
        f"Found: {listed(present)}. Give the folder that holds these, as it was published."
    )


def require(root: Path, title: str, expected: str, *names: str) -> None:
    """Refuse a folder that lacks one of these files and folders (with a slash at their end).

    Raises:
        DataError: it lacks one.
    """
    for name in names:
        path = root / name
        if not (path.is_dir() if name.endswith("/") else path.is_file()):
            raise wrong_layout(root, title, expected, f"it has no {name}")


def name_fault(name: str) -> str:
    """Say why a cell cannot be the name of a file or a folder; empty if it can."""
    if not name:
        return "its name is empty"
    if not _NAME.fullmatch(name) or len(name) > 200 or name.endswith("."):
        return "its name is none of a file"
    return ""


def file_fault(root: Path, file: str) -> str:
    """Say why a file cannot be used; empty if it is in the folder.

    Args:
        root: the folder of the data set.
        file: path below it, with slashes.
    """
    for part in PurePosixPath(file).parts:
        if fault := name_fault(part):
            return fault
    try:
        if not (root / file).is_file():
            return "its file is not in the folder"
    except (OSError, ValueError):
        return "its file cannot be reached"
    return "" if is_below(root, root / file) else "its file is a link that leads out of the folder"


def shown(name: str, table: str, line: int) -> str:
    """Return the name of a row's clip for a rejection; its place where the name is none."""
    return f"line {line} of {table}" if name_fault(name) else name


def labels(cells: Mapping[str, str], without: Sequence[str], **more: str) -> Mapping[str, str]:
    """Return the labels of a row: every column as it is written, and some that follow from it."""
    kept = {column: text for column, text in cells.items() if column not in without}
    return MappingProxyType(kept | more)


def side_of(split: str) -> str:
    """Return `train` or `test` for the name of a split; validation is part of training here.

    Networks of echokit choose nothing on held-out patients, so that a run needs two sides.
    """
    return "test" if split.lower().startswith("test") else "train"
