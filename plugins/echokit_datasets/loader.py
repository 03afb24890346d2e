"""The loader of a public data set: its list of clips, whose files the loader `files` reads."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import final

from echokit import (
    Clip,
    ClipError,
    ClipRef,
    ClipStream,
    Loader,
    Rejection,
    SupportsFingerprint,
    SupportsStream,
    pseudonym,
    resolve,
)
from echokit_datasets.dataset import SIDE, Beside, Count, Dataset, Found, file_fault, open_folder

FILES = "files"
"""Name of the loader that reads the files."""


@final
class DatasetLoader:
    """Loader of a folder that is laid out as a data set was published."""

    def __init__(
        self,
        dataset: Dataset,
        source: str,
        *,
        limits: Mapping[str, float] | None = None,
        isolate: bool = False,
    ) -> None:
        """Make a loader.

        Args:
            dataset: what is read.
            source: its folder.
            limits: what reading a file may cost, as for the loader `files`.
            isolate: read files in another process, as for the loader `files`.

        Raises:
            DataError: there is no such folder, or it is laid out otherwise.
            OptionError: `limits` names something unknown.
        """
        self.dataset = dataset
        self.root = open_folder(source, dataset.name, dataset.expected)
        self._options: dict[str, object] = {"limits": limits, "isolate": isolate, "view": "A4C"}
        self._reader(self.root)  # its options are wrong now, or never
        dataset.check(self.root)
        self._last: list[Found] | None = None

    def index(self) -> Iterator[ClipRef | Rejection]:
        """List every clip; reject what the tables list wrongly, and files that none lists.

        Raises:
            DataError: a table cannot be used.
        """
        found = self._listed()
        yield from (one.item for one in found)
        mentioned = {one.file for one in found if one.file}
        folders = tuple(f"{one.item.where}/" for one in found if isinstance(one.item, Rejection))
        number = 0
        for file in _files(self.root):
            patterns = self.dataset.known
            if file in mentioned or any(fnmatch(file, pattern) for pattern in patterns):
                continue
            if file.startswith(folders):
                continue
            number += 1
            # the name of a file that does not belong here may say anything
            where = pseudonym(file, shown=f"file {number} beside the data set")
            yield Rejection(where, f"no list of {self.dataset.title} names it")

    def read(self, ref: ClipRef) -> Clip:
        """Read one clip as grey uint8 frames (T, H, W).

        Raises:
            ClipError: it cannot be read; the message is the reason.
        """
        if self.dataset.still is not None:
            return self.dataset.still(self._path(ref.where))
        loader, own = self._own(ref.where)
        clip = loader.read(own)
        beside = self._beside(ref)
        if beside is None:
            return clip
        clip = replace(clip, fps=beside.fps, times=None)
        if not beside.masks:
            return clip
        return self._with_masks(clip, beside)

    def stream(self, ref: ClipRef, needed: Callable[[int], Sequence[int]]) -> ClipStream | None:
        """Open a long video to be read block by block; None for any other clip.

        Raises:
            ClipError: it cannot be read; the message is the reason.
        """
        if self.dataset.beside is not None or self.dataset.still is not None:
            return None
        loader, own = self._own(ref.where)
        return loader.stream(own, needed) if isinstance(loader, SupportsStream) else None

    def fingerprint(self, ref: ClipRef) -> str:
        """Digest the clip's file, and what is known of it beside it, by SHA-256.

        Raises:
            ClipError: a file cannot be read; the message is the reason.
        """
        digest = hashlib.sha256(self._digest(ref.where).encode())
        if (beside := self._beside(ref)) is not None:
            digest.update(repr((beside.fps, beside.structures)).encode())
            if beside.masks:
                digest.update(self._digest(beside.masks).encode())
        return digest.hexdigest()

    def file(self, ref: ClipRef) -> Path:
        """Return the file of a clip.

        Raises:
            ClipError: it is not in the folder.
        """
        return self._path(ref.where)

    def remarks(self) -> Sequence[str]:
        """Say where the clips are not those that were published, in a sentence each.

        Raises:
            DataError: a table cannot be used.
        """
        # tables of millions of rows are not read a second time
        found = self._listed() if self._last is None else self._last
        clips = [one.item for one in found if isinstance(one.item, ClipRef)]
        said = [_difference(count, clips) for count in self.dataset.counts]
        differ = "; ".join(text for text in said if text)
        first = (
            [f"{self.dataset.title} differs from what is published: {differ}."] if differ else []
        )
        return [*first, *self.dataset.remarks(self.root, clips)]

    def _listed(self) -> list[Found]:
        found = _without_divided(_without_twins(list(self.dataset.find(self.root))))
        self._last = found
        return found

    def _beside(self, ref: ClipRef) -> Beside | None:
        find = self.dataset.beside
        return None if find is None else find(self.root, ref)

    def _with_masks(self, clip: Clip, beside: Beside) -> Clip:
        loader, own = self._own(beside.masks)
        masks = loader.read(own).frames
        if masks.shape != clip.frames.shape or masks.max() > len(beside.structures):
            raise ClipError(
                f"its masks are {masks.shape} with labels up to {masks.max()}, where frames "
                f"{clip.frames.shape} and labels up to {len(beside.structures)} are expected"
            )
        return replace(clip, structures=masks, structure_names=beside.structures)

    def _digest(self, file: str) -> str:
        if self.dataset.still is not None:
            pixels = self.dataset.still(self._path(file)).frames
            return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        loader, own = self._own(file)
        assert isinstance(loader, SupportsFingerprint)
        return loader.fingerprint(own)

    def _own(self, file: str) -> tuple[Loader, ClipRef]:
        """Return the loader of a file, and its clip as that lists it."""
        loader = self._reader(self._path(file))
        items = list(loader.index())
        if len(items) != 1:
            raise ClipError(f"it holds {len(items)} files, where one clip is expected")
        if isinstance(items[0], Rejection):
            raise ClipError(items[0].reason)
        return loader, items[0]

    def _path(self, file: str) -> Path:
        # a reference may come from a file that somebody else wrote
        if PurePosixPath(file).is_absolute() or not file.lower().endswith(self.dataset.suffixes):
            raise ClipError(f"its address is none of a clip of {self.dataset.title}")
        if fault := file_fault(self.root, file):
            raise ClipError(fault)
        return self.root / file

    def _reader(self, path: Path) -> Loader:
        made: Loader = resolve("loader", FILES, source=str(path), **self._options)
        return made


def _files(root: Path) -> Iterator[str]:
    """List the files below a folder that are not hidden, as paths with slashes, sorted."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield (Path(folder) / name).relative_to(root).as_posix()


def _without_twins(found: Sequence[Found]) -> list[Found]:
    """Refuse all clips that share an identifier or a file: nothing tells which of them is right."""
    names = Counter(one.item.clip for one in found if isinstance(one.item, ClipRef))
    files = Counter(one.file for one in found if one.file)

    def checked(one: Found) -> Found:
        ref = one.item
        if isinstance(ref, Rejection) or names[ref.clip] == files[one.file] == 1:
            return one
        return replace(one, item=refuse(ref, "it is listed more than once; keep one row"))

    return [checked(one) for one in found]


def _without_divided(found: Sequence[Found]) -> list[Found]:
    """Refuse all clips of a patient whom the published split puts on two sides."""
    sides: dict[str, set[str]] = defaultdict(set)
    for one in found:
        if isinstance(one.item, ClipRef) and one.item.labels.get(SIDE):
            sides[one.item.patient].add(one.item.labels[SIDE])

    def checked(one: Found) -> Found:
        ref = one.item
        if isinstance(ref, Rejection) or len(sides[ref.patient]) < 2:
            return one
        reason = "its patient is both in training and in testing by the published split"
        return replace(one, item=refuse(ref, reason))

    return [checked(one) for one in found]


def refuse(ref: ClipRef, reason: str) -> Rejection:
    """Make the rejection of a clip."""
    return Rejection(ref.clip, reason, ref.patient, ref.view)


def _difference(count: Count, clips: Sequence[ClipRef]) -> str:
    """Say what is published beside what was found; empty if both are the same."""
    if count.of == "clips":
        found = len(clips)
    elif count.of == "patients":
        found = len({ref.patient for ref in clips})
    elif count.of == "view":
        found = sum(ref.view == count.value for ref in clips)
    else:
        found = sum(ref.labels.get(count.of) == count.value for ref in clips)
    if found == count.number:
        return ""
    of = f"{count.of} {count.value}".strip()
    return f"{of}: {count.number:,} published, {found:,} here"
