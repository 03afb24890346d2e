"""Resample clips in time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from echokit import Clip

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class FrameRate:
    """Keeps the frame nearest to each step of a common frame rate."""

    fps: float

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Resample a clip; one that is slower, or of unknown frame rate, stays as it is."""
        if clip.fps is None or clip.fps <= self.fps:
            return clip
        count = max(1, int(len(clip.frames) * self.fps / clip.fps + 1e-9))
        kept = np.round(np.arange(count) * clip.fps / self.fps).astype(int)
        structures = None if clip.structures is None else clip.structures[kept]
        return replace(clip, frames=clip.frames[kept], fps=self.fps, structures=structures)
