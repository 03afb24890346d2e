"""Prepare a long clip block by block: its frames are never in memory together.

It takes a loader that hands out blocks and steps that work frame by frame once they have seen a few
frames of the clip. Any other clip is read and prepared whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from echokit.interfaces import (
    Loader,
    SupportsBlocks,
    SupportsSelection,
    SupportsStream,
    Transform,
)
from echokit.types import Clip, ClipRef, ClipStream

NOTHING_DRAWN: Any = None
"""In the place of a generator: preparing steps draw nothing."""


@dataclass(frozen=True, slots=True)
class PreparedStream:
    """A long clip, and the steps that prepare each of its blocks."""

    source: ClipStream
    steps: tuple[Transform, ...]
    """The steps, which have seen the frames that they needed."""
    few: Clip
    """Some frames, prepared, with all that is known of the prepared clip."""

    @property
    def _selected(self) -> Int[np.ndarray, " n"]:
        """Indices of the source's frames that the prepared clip has, ascending."""
        last = self.steps[-1] if self.steps else None
        if isinstance(last, SupportsSelection):
            return last.selected
        return np.arange(self.source.length)

    @property
    def length(self) -> int:
        """Number of frames of the prepared clip."""
        return len(self._selected)

    def blocks(self) -> Iterator[Clip]:
        """Prepare the clip's frames, some at a time.

        Raises:
            ClipError: the source cannot be read to its end any more.
        """
        selected, first = self._selected, 0
        for frames in self.source.blocks():
            own = _between(selected, first, first + len(frames)) - first
            first += len(frames)
            if not len(own):
                continue
            clip = replace(self.source.few, frames=frames)
            for step in self.steps:
                clip = step(clip, NOTHING_DRAWN)
            yield replace(clip, frames=clip.frames[own])

    def masked(self, start: int, k: int) -> Clip:
        """Return frames `start` to `start + k` by the steps up to the one that finds the sector.

        Raises:
            ClipError: the source cannot be read any more.
        """
        clip = replace(self.source.few, frames=self._window(start, k))
        for step in self.steps:
            clip = step(clip, NOTHING_DRAWN)
            if clip.sector is not None:
                break
        return replace(clip, fps=self.few.fps)

    def _window(self, start: int, k: int) -> UInt8[np.ndarray, "k H W"]:
        shown = self._selected[start : start + k]
        parts, first = [], 0
        for frames in self.source.blocks():
            parts.append(frames[_between(shown, first, first + len(frames)) - first])
            first += len(frames)
            if first > shown[-1]:
                break
        return np.concatenate(parts)


def _between(indices: Int[np.ndarray, " n"], first: int, end: int) -> Int[np.ndarray, " m"]:
    """Return the ascending indices from `first` to before `end`."""
    low, high = np.searchsorted(indices, (first, end))
    return indices[low:high]


def open_stream(loader: Loader, ref: ClipRef, steps: Sequence[Transform]) -> PreparedStream | None:
    """Open a long clip to be prepared block by block.

    Returns:
        None where the clip is to be read whole: it is short, or the loader or a step needs that.

    Raises:
        ClipError: the clip cannot be read, or a step refuses it.
    """
    able = [step for step in steps if isinstance(step, SupportsBlocks)]
    if not isinstance(loader, SupportsStream) or len(able) < len(steps):
        return None

    def needed(length: int) -> list[int]:
        return sorted({0, *(index for step in able for index in step.needed(length))})

    source = loader.stream(ref, needed)
    if source is None:
        return None
    place = {index: position for position, index in enumerate(needed(source.length))}
    few, settled = source.few, list[Transform]()
    for step in able:
        own = [place[index] for index in step.needed(source.length)]
        ready = step.settle(_part(few, own), source.length)
        if ready is None:
            return None
        settled.append(ready)
        few = ready(few, NOTHING_DRAWN)
    if any(isinstance(step, SupportsSelection) for step in settled[:-1]):
        return None  # what a later step would see are not the frames that it needed
    return PreparedStream(source, tuple(settled), few)


def _part(few: Clip, own: Sequence[int]) -> Clip:
    """Return some of the frames at hand, with their times."""
    times = None if few.times is None else few.times[own]
    return replace(few, frames=few.frames[own], times=times)
