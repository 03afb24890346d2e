"""Preparing steps that change every frame by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from echokit import Clip, Transform

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class FrameByFrame:
    """A transform that makes of a frame the same, whatever other frames the clip has."""

    change: Callable[[Clip, torch.Generator], Clip]

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Change all frames."""
        return self.change(clip, rng)

    def needed(self, length: int) -> list[int]:
        """Return that no frame must be seen before."""
        return []

    def settle(self, few: Clip, length: int) -> Transform:
        """Return this transform."""
        return self
