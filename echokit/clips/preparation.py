"""Prepare clips for the store: once for each content and each preparation."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Shaped

from echokit.clips.store import Store
from echokit.clips.streaming import PreparedStream, open_stream
from echokit.errors import ClipError
from echokit.interfaces import Loader, Transform
from echokit.system.digests import DamageWarning
from echokit.system.prefetch import prefetch
from echokit.types import Box, Clip, ClipRef


def unused_generator() -> Any:
    """Return a generator for transforms that draw nothing; None if torch is not imported.

    Clips are then prepared without importing torch, if their transforms do not need it.
    """
    torch = sys.modules.get("torch")
    return None if torch is None else torch.Generator()


@dataclass(frozen=True, slots=True)
class Preparation:
    """The transforms that prepare a clip, and a text that identifies them."""

    steps: tuple[Transform, ...]
    signature: str
    """Names, versions and options of the steps, in order."""

    def __call__(self, clip: Clip) -> Clip:
        """Prepare one clip.

        Raises:
            ClipError: a step refuses the clip, or returns frames that cannot be stored; or the
                loader states a frame rate or a pixel size that is none.
        """
        _check_numbers(clip)
        for step in self.steps:
            clip = step(clip, unused_generator())
        _check_frames(clip.frames)
        return clip

    def stream(self, loader: Loader, ref: ClipRef) -> PreparedStream | None:
        """Open a long clip to be prepared block by block; None where it is to be read whole.

        Raises:
            ClipError: the clip cannot be read, or a step refuses it.
        """
        stream = open_stream(loader, ref, self.steps)
        if stream is not None:
            _check_numbers(stream.source.few)
            _check_frames(stream.few.frames)
        return stream

    def count(self, loader: Loader, ref: ClipRef) -> int:
        """Count the frames of a prepared clip.

        Raises:
            ClipError: the clip cannot be read, or a step refuses it.
        """
        stream = self.stream(loader, ref)
        return len(self(loader.read(ref)).frames) if stream is None else stream.length

    def shown(self, loader: Loader, ref: ClipRef, start: int, k: int) -> tuple[Clip, int]:
        """Read `k` frames at the source's own resolution, with nothing outside the sector.

        Returns:
            The frames of the prepared clip from `start`, and the number of all its frames; `box`
            is the part of the source's frame that they show.

        Raises:
            ClipError: the clip cannot be read, or a step refuses it.
        """
        stream = self.stream(loader, ref)
        if stream is not None:
            source, length = stream.source.few, stream.length
            masked = stream.masked(start, k)
        else:
            source = loader.read(ref)
            masked = self.masked(source)
            length = len(masked.frames)
            # copied: a view would keep the whole clip in memory
            frames = masked.frames[start : start + k].copy()
            masked = replace(masked, frames=frames, structures=None)
        whole = Box(0, 0, *source.frames.shape[1:])
        fps, box = masked.fps or source.fps, masked.box or whole
        return replace(masked, fps=fps, box=box), length

    def masked(self, clip: Clip) -> Clip:
        """Apply the steps up to the one that finds the sector and masks what lies outside it.

        Of the steps after it those that change the number of frames are applied too, so that the
        result has the frames of the prepared clip at the source's own resolution.
        """
        found = False
        for step in self.steps:
            changed = step(clip, unused_generator())
            if not found or len(changed.frames) != len(clip.frames):
                clip = changed
            found = found or clip.sector is not None
        return clip


def _check_frames(frames: Shaped[np.ndarray, "..."]) -> None:
    if frames.dtype != np.uint8 or frames.ndim != 3 or not frames.size:
        raise ClipError(
            f"preparing made frames of {frames.dtype} {frames.shape}; uint8 (T, H, W) can be stored"
        )


def _check_numbers(clip: Clip) -> None:
    """Refuse numbers that no picture can be drawn with, whichever loader states them.

    Raises:
        ClipError: a number is not finite, or not in a range that any machine has.
    """
    if clip.fps is not None and not 1e-3 <= clip.fps <= 1e5:  # false where it is not a number
        raise ClipError(f"its frame rate is {clip.fps:g} per second, which no machine has")
    if clip.spacing is not None and not all(1e-6 <= size <= 1e4 for size in clip.spacing):
        sizes = " x ".join(f"{size:g}" for size in clip.spacing)
        raise ClipError(f"its pixels are {sizes} mm, which no machine has")


def signature(steps: Iterable[tuple[str, str, Mapping[str, object]]]) -> str:
    """Write the text that identifies a preparation.

    Args:
        steps: (full name, version, options) of each step, in order.
    """
    return json.dumps([[name, version, dict(options)] for name, version, options in steps])


def prepare(
    loader: Loader, refs: Sequence[ClipRef], preparation: Preparation, store: Store
) -> Iterator[tuple[ClipRef, str | ClipError]]:
    """Prepare every clip that is not in the store yet; the next clip is read in a thread.

    Yields:
        `(ref, key)` of each stored clip, or `(ref, ClipError)` of a refused one.
    """
    begun: set[str] = set()  # keys under way: the store has them only once they are prepared
    damaged: dict[str, str] = {}

    def open_clip(ref: ClipRef) -> Clip | PreparedStream:
        return preparation.stream(loader, ref) or loader.read(ref)

    def fetch(ref: ClipRef) -> tuple[ClipRef, str | ClipError, Clip | PreparedStream | None]:
        try:
            key = store.key(loader, ref, preparation.signature)
            if key in begun:
                return ref, key, None
            if key in store:
                problem = store.problem(key)
                if not problem:
                    return ref, key, None
                damaged[key] = problem
            begun.add(key)
            return ref, key, open_clip(ref)
        except ClipError as error:
            return ref, error, None

    for ref, key, clip in prefetch(map(fetch, refs)):
        if isinstance(key, ClipError):
            yield ref, key
            continue
        try:
            if key in damaged:
                told = f"The prepared clip {store.path / key} is damaged: {damaged.pop(key)}."
                warnings.warn(f"{told} It is prepared again.", DamageWarning, stacklevel=2)
                store.discard(key)
            if key not in store:
                # `clip` is None after a refused clip of the same content: it is refused again
                opened = clip or open_clip(ref)
                if isinstance(opened, PreparedStream):
                    store.put_blocks(key, opened.few, opened.length, opened.blocks())
                else:
                    store.put(key, preparation(opened))
            yield ref, key
        except ClipError as error:
            yield ref, error


def too_short(store: Store, key: str, k: int) -> str:
    """State that a prepared clip is too short for `k` frames; empty if it is long enough."""
    frames = store.length(key)
    return f"it has {frames} frame{'s' * (frames != 1)}; a sequence needs {k}" if frames < k else ""
