"""Read clips of one's own: files, folders, and what is in memory already."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias, final

import numpy as np

from echokit.clips.check import CheckReport
from echokit.components.loading import make_loader
from echokit.errors import ClipError, EchokitError, UsageError
from echokit.interfaces import Loader, SupportsFile, SupportsFingerprint, SupportsStream
from echokit.plugins.registry import registry, resolve
from echokit.recipe import Slot, load_recipe
from echokit.recipe.address import split_address
from echokit.recipe.settings import Settings
from echokit.system.progress import Listener, Progress
from echokit.types import Clip, ClipRef, ClipStream, Rejection

Address: TypeAlias = str | PathLike[str]
Pixels: TypeAlias = Clip | np.ndarray
Source: TypeAlias = Address | Pixels | Sequence[Address | Pixels]
"""A clip's file, a folder, `LOADER:ADDRESS`, a `Clip`, a uint8 array (T, H, W), or several."""

PATIENT = "patient"
"""Pseudonym of the patient of clips in memory: those of one study are one patient's."""


def read(path: Address, *, loader: str | None = None) -> Clip:
    """Read one clip.

    Args:
        path: a clip's file, of any format that the loader knows.
        loader: name of the loader; None takes the one that recipes read a user's files with.

    Raises:
        ClipError: the file is no clip that can be read; the message is the reason.
        UsageError: there is nothing at `path`, or it holds several clips.

    >>> echokit.read("clip.dcm")
    Clip(30 frames of 240×320 uint8, 30 frames/s)
    """
    made = open_files(path, loader)
    found = list(made.index())
    clips = [item for item in found if isinstance(item, ClipRef)]
    if len(clips) > 1:
        named = ", ".join(ref.clip for ref in clips[:3])
        raise UsageError(f"{path} holds {len(clips)} clips ({named} ...): name the file of one.")
    if not clips:
        reasons = [f"{item.where}: {item.reason}" for item in found if isinstance(item, Rejection)]
        raise ClipError("; ".join(reasons) or f"{path} holds no clip")
    return made.read(clips[0])


def check(
    path: Address,
    *,
    loader: str | None = None,
    recipe: str | None = None,
    config: Sequence[Address] = (),
    settings: Settings = (),
    progress: Progress | Listener | None = None,
) -> CheckReport:
    """Say what a file, a folder or a manifest holds: every file, used or rejected with its reason.

    Args:
        path: a clip's file, a folder, a CSV manifest, or `LOADER:ADDRESS`.
        loader: name of the loader; None takes the one that recipes read a user's files with.
        recipe: a recipe that the clips are for. Its views, sector, frames, labels and splits are
            then checked too, so that a run and a prediction say the same.
        config: TOML files laid over the recipe.
        settings: overrides of the recipe's keys; without a recipe options of the loader.
        progress: told of every file that was read; how many there are is not known before.

    Raises:
        UsageError: there is nothing at `path`.

    >>> report = echokit.check("clips")
    >>> report.to_frame()[["status", "patient"]].values.tolist()  # doctest: +ELLIPSIS
    [['used', 'P-...'], ['rejected', nan]]
    >>> report.summary["patients"], report.duplicates
    (1, [])
    """
    from echokit.studies.check import check_source  # only here are all parts of a recipe needed

    named = split_address(path)
    if named is None and not Path(path).exists():
        raise UsageError(f"There is nothing at {path}.")
    return check_source(
        path,
        loader or ("" if recipe or named else loader_of_files()),
        recipe=recipe,
        config=[Path(one) for one in config],
        settings=settings,
        progress=progress,
    )


def open_files(path: Address, loader: str | None = None) -> Loader:
    """Open files with a loader, without its options.

    Raises:
        UsageError: there is nothing at `path`, or which loader to take cannot be told.
    """
    if not Path(path).exists():
        raise UsageError(f"There is nothing at {path}.")
    made: Loader = resolve("loader", loader or loader_of_files(), source=str(path))
    return made


def loader_of_files() -> str:
    """Name the loader that most installed recipes read a user's own files with.

    Raises:
        UsageError: there is no recipe, or as many name one loader as name another.
    """
    votes: Counter[str] = Counter()
    for recipe in registry().of_kind("recipe"):
        try:
            votes[load_recipe(recipe.full_name).study.use] += 1
        except EchokitError:  # a stranger's recipe that does not validate
            continue
    ranked = votes.most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        raise UsageError(
            "The installed recipes do not agree which loader reads files: name one with loader=, "
            "or --loader (`echokit plugins list --kind loader`)."
        )
    return ranked[0][0]


def open_study(
    slot: Slot,
    sources: Sequence[Address | Pixels],
    views: Sequence[str | None],
    options: Mapping[str, object] = MappingProxyType({}),
) -> Loader:
    """Open a study: files as a recipe's slot says, or clips in memory.

    Args:
        slot: names the loader of a user's own files.
        sources: files, folders, addresses that name their loader, clips and arrays.
        views: the view of each, None where nobody says it.
        options: options of the loader, over those of the slot.

    Raises:
        UsageError: a source is none of these, or is not there.
    """
    opened = [_open(slot, one, view, options) for one, view in zip(sources, views, strict=True)]
    if len(opened) == 1:
        return opened[0]
    return JoinedLoader(opened)


def files_of(loader: Loader, refs: Iterable[ClipRef]) -> Mapping[str, Path]:
    """Return the file of each clip whose loader can tell it."""
    files: dict[str, Path] = {}
    if isinstance(loader, SupportsFile):
        for ref in refs:
            with suppress(ClipError):  # of joined loaders some may know no files
                files[ref.clip] = loader.file(ref)
    return MappingProxyType(files)


def _open(
    slot: Slot, source: Address | Pixels, view: str | None, options: Mapping[str, object]
) -> Loader:
    if isinstance(source, str | PathLike):
        more = dict(options) if view is None else {**options, "view": view}
        if (named := split_address(source)) is not None:
            return make_loader(Slot(use=named[0]), source=named[1], **more)
        if not Path(source).exists():
            raise UsageError(f"There is no study at {source}.")
        return make_loader(slot, source=str(source), **more)
    return ClipLoader(as_clip(source), view)


def as_clip(pixels: Pixels) -> Clip:
    """Make a clip of an array of grey frames.

    Raises:
        UsageError: it is no clip, no array, or one of another type or shape.
    """
    if isinstance(pixels, Clip):
        return pixels
    if not isinstance(pixels, np.ndarray):
        raise UsageError(
            f"A study is a path, a Clip, an array, or a list of them, not {type(pixels).__name__}."
        )
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or not pixels.size:
        raise UsageError(
            f"The array is {pixels.dtype} {pixels.shape}: give grey frames as uint8 "
            "(time, row, column), 0 to 255."
        )
    return Clip(pixels)


@final
class ClipLoader:
    """Hands out one clip that is in memory."""

    def __init__(self, clip: Clip, view: str | None) -> None:
        self.clip, self.view = clip, view

    def index(self) -> Iterator[ClipRef]:
        """List the clip."""
        yield ClipRef("clip", PATIENT, self.view)

    def read(self, ref: ClipRef) -> Clip:
        """Return the clip."""
        return self.clip

    def fingerprint(self, ref: ClipRef) -> str:
        """Return a digest of the frames and of all that preparing them depends on."""
        clip = self.clip
        digest = hashlib.sha256(np.ascontiguousarray(clip.frames).data)
        times = None if clip.times is None else clip.times.tolist()
        known = (clip.frames.shape, clip.fps, clip.spacing, clip.region, clip.box, times)
        digest.update(repr(known).encode())
        for mask in (clip.sector, clip.structures):
            digest.update(b"none" if mask is None else np.ascontiguousarray(mask).data)
        return digest.hexdigest()


@final
class JoinedLoader:
    """Lists the clips of several loaders as those of one study."""

    def __init__(self, loaders: Sequence[Loader]) -> None:
        self.loaders = loaders
        self._found: dict[str, tuple[Loader, ClipRef]] = {}

    def index(self) -> Iterator[ClipRef | Rejection]:
        """List every clip, of two with one name the second as `name-2`."""
        for loader in self.loaders:
            for item in loader.index():
                if isinstance(item, Rejection):
                    yield item
                    continue
                name, number = item.clip, 1
                while name in self._found:
                    number += 1
                    name = f"{item.clip}-{number}"
                self._found[name] = loader, item
                yield replace(item, clip=name)

    def read(self, ref: ClipRef) -> Clip:
        """Read one clip with the loader that listed it."""
        loader, own = self._found[ref.clip]
        return loader.read(own)

    def fingerprint(self, ref: ClipRef) -> str:
        """Return the digest by its loader, or one of its frames where that makes none."""
        loader, own = self._found[ref.clip]
        if isinstance(loader, SupportsFingerprint):
            return loader.fingerprint(own)
        return ClipLoader(loader.read(own), None).fingerprint(own)

    def stream(self, ref: ClipRef, needed: Callable[[int], Sequence[int]]) -> ClipStream | None:
        """Open a long clip by the loader that listed it, if that can."""
        loader, own = self._found[ref.clip]
        return loader.stream(own, needed) if isinstance(loader, SupportsStream) else None

    def file(self, ref: ClipRef) -> Path:
        """Return the file of a clip by the loader that listed it.

        Raises:
            ClipError: that loader knows no files.
        """
        loader, own = self._found[ref.clip]
        if isinstance(loader, SupportsFile):
            return loader.file(own)
        raise ClipError("it has no file")
