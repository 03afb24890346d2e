"""What is read or prepared block by block is what is read or prepared whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from echokit.clips.streaming import open_stream
from echokit.errors import ClipError
from echokit.interfaces import Loader, SupportsBlocks, SupportsStream, Transform
from echokit.testing.contracts.rules import attempt, expect
from echokit.types import Clip, ClipRef, ClipStream

BLOCK = 3
"""Frames of a block, so that a small clip has several."""


def check_stream(loader: Loader, ref: ClipRef, whole: Clip) -> None:
    """Check that a loader's blocks are the frames of `read`, each time that they are read.

    Raises:
        ContractError: they are not.
    """
    if not isinstance(loader, SupportsStream):
        return
    ends = sorted({0, len(whole.frames) - 1})
    with attempt(f"stream() of clip {ref.clip!r}"):
        stream = loader.stream(ref, lambda length: sorted({0, length - 1}))
    if stream is None:
        return
    named = f"Clip {ref.clip!r}, when it is read block by block,"
    expect(
        stream.length == len(whole.frames),
        f"{named} has {stream.length} frames, and {len(whole.frames)} when it is read whole.",
    )
    expect(
        np.array_equal(stream.few.frames, whole.frames[ends]),
        f"{named} has other frames at hand than those that were needed.",
    )
    expect(
        (stream.few.fps, stream.few.spacing) == (whole.fps, whole.spacing),
        f"{named} has another frame rate or pixel size.",
    )
    for _ in range(2):
        with attempt(f"Reading the blocks of clip {ref.clip!r}"):
            frames = np.concatenate([*stream.blocks()])
        expect(np.array_equal(frames, whole.frames), f"{named} has other frames.")


def check_blocks(transform: Transform, clip: Clip) -> None:
    """Check that a transform makes of the blocks of a clip what it makes of the whole.

    Raises:
        ContractError: it does not.
    """
    if not isinstance(transform, SupportsBlocks):
        return
    clip = replace(clip, structures=None, structure_names=())
    try:
        with attempt("Preparing a clip block by block", passing=(ClipError,)):
            stream = open_stream(_Blocks(clip), ClipRef("clip", "patient", None), [transform])
            blocks = [] if stream is None else [*stream.blocks()]
    except ClipError:
        return  # refused when it is whole, too
    if stream is None:
        return
    nothing_drawn = None
    whole = transform(clip, nothing_drawn)  # type: ignore[arg-type]
    frames = np.concatenate([block.frames for block in blocks])
    known = replace(stream.few, frames=frames, times=whole.times)
    expect(
        np.array_equal(known.frames, whole.frames),
        "Block by block it makes other frames than of the whole clip: settle() must return a "
        "transform that changes each frame by itself, and needed() name all frames that it sees.",
    )
    same = [
        np.array_equal(_array(known.sector), _array(whole.sector)),
        (known.fps, known.spacing, known.box) == (whole.fps, whole.spacing, whole.box),
    ]
    expect(all(same), "Block by block it says something else of the clip than when it is whole.")


def _array(mask: np.ndarray | None) -> np.ndarray:
    return np.zeros(0, bool) if mask is None else mask


@dataclass(frozen=True, slots=True)
class _Blocks:
    """A loader of one clip, handed out in blocks."""

    clip: Clip

    def index(self) -> list[ClipRef]:
        return []

    def read(self, ref: ClipRef) -> Clip:
        return self.clip

    def stream(self, ref: ClipRef, needed: object) -> ClipStream:
        assert callable(needed)
        chosen = list(needed(len(self.clip.frames)))
        return ClipStream(
            replace(self.clip, frames=self.clip.frames[chosen]), len(self.clip.frames), self._blocks
        )

    def _blocks(self) -> Iterator[UInt8[np.ndarray, "t H W"]]:
        for start in range(0, len(self.clip.frames), BLOCK):
            yield self.clip.frames[start : start + BLOCK]
