"""Resample clips in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from echokit import Clip, Transform

if TYPE_CHECKING:
    import torch

Rate = Literal["keep", "nearest", "linear"]
"""How a frame between two others is made: not at all, the nearer one, or a blend of both."""
CHOICES = ("keep", "nearest", "linear")
SAME = (0.99, 1.003)
"""Shares of the common frame rate between which a clip counts as one of that rate: DICOM rounds
frame times to 33.3 ms, and a faster clip would lose its last frame for nothing."""


@dataclass(frozen=True, slots=True)
class FrameRate:
    """Shows a clip at the steps of a common frame rate."""

    fps: float
    rate: Rate = "nearest"
    slower: bool = False
    """Whether clips of fewer frames per second are resampled too."""

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Resample a clip; one of unknown frame rate stays as it is."""
        positions = self._positions(clip, len(clip.frames))
        if positions is None:
            return clip
        frames, structures = clip.frames, clip.structures
        kept = np.round(positions).astype(int)
        return replace(
            self._of_this_rate(clip),
            frames=frames[kept] if self.rate == "nearest" else _blended(frames, positions),
            structures=None if structures is None else structures[kept],
        )

    def needed(self, length: int) -> Sequence[int]:
        """Return the frames that must be seen of a long clip: the first, which says its rate."""
        return range(min(length, 1))

    def settle(self, few: Clip, length: int) -> Transform | None:
        """Say which frames of a long clip are kept; None where frames are blended, or uneven."""
        if few.times is not None and self.rate != "keep":
            return None
        positions = self._positions(few, length)
        if positions is None:
            return _unchanged
        if self.rate == "linear":
            return None
        return Selection(np.round(positions).astype(int), self._of_this_rate)

    def _of_this_rate(self, clip: Clip) -> Clip:
        return replace(clip, fps=self.fps, times=None, source_fps=clip.source_fps or clip.fps)

    def _positions(self, clip: Clip, length: int) -> Float[np.ndarray, " steps"] | None:
        """Place each step of the common rate among the frames; None of a clip that stays."""
        if self.rate == "keep" or length < 2:
            return None
        if clip.times is not None:  # frames that are not evenly spaced
            steps = np.arange(int(clip.times[-1] * self.fps + 1e-9) + 1) / self.fps
            between = np.interp(steps, clip.times, np.arange(len(clip.times)))
            return np.asarray(between, np.float64)
        if clip.fps is None or clip.fps == self.fps:
            return None
        if clip.fps > SAME[1] * self.fps:
            count = max(1, int(length * self.fps / clip.fps + 1e-9))
        elif self.slower and clip.fps < SAME[0] * self.fps:
            count = int((length - 1) * self.fps / clip.fps + 1e-9) + 1
        else:
            return None
        positions = np.minimum(np.arange(count) * clip.fps / self.fps, length - 1)
        return np.asarray(positions, np.float64)


@dataclass(frozen=True, slots=True)
class Selection:
    """Keeps some frames of a long clip that is read block by block."""

    selected: Int[np.ndarray, " n"]
    """Their indices, ascending; a frame of a slower clip may be kept twice."""
    known: Callable[[Clip], Clip]
    """Sets what is known of the clip in time."""

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Return the frames as they are; whoever has all of them keeps those that are selected."""
        return self.known(clip)


def _unchanged(clip: Clip, rng: torch.Generator) -> Clip:
    return clip


def _blended(
    frames: Shaped[np.ndarray, "T H W"], positions: Float[np.ndarray, " steps"]
) -> Shaped[np.ndarray, "steps H W"]:
    """Interpolate linearly between the frames around each position; the type stays."""
    first = np.minimum(positions.astype(int), len(frames) - 1)
    second = np.minimum(first + 1, len(frames) - 1)
    made: Shaped[np.ndarray, "steps H W"] = np.empty(
        (len(positions), *frames.shape[1:]), frames.dtype
    )
    whole = np.issubdtype(frames.dtype, np.integer)
    for step, (a, b, weight) in enumerate(zip(first, second, positions - first, strict=True)):
        if not weight:
            made[step] = frames[a]
            continue
        image = frames[a] * np.float32(1 - weight) + frames[b] * np.float32(weight)
        made[step] = np.rint(image) if whole else image
    return made
