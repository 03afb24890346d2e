"""Drawing parameters from a generator, apart from applying them, so that a draw can be replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from echokit import Clip
from echokit_monai.options import Range

P = TypeVar("P")
"""The frozen parameters of one kind of augmentation."""


@dataclass(frozen=True, slots=True)
class Augmentation(Generic[P]):
    """An augmenting transform: `draw` what to do, then `apply` it, with one draw for all frames.

    `augmentation(clip, rng)` does both. To replay a draw, keep what `draw(rng)` returned.
    """

    probability: float
    """Chance in [0, 1] that a call does anything at all."""
    parameters: Callable[[torch.Generator], P]
    """Draws one parameter set."""
    apply: Callable[[Clip, P], Clip]
    """Applies a parameter set to every frame; always gives the same result for the same input."""

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Augment a clip of float32 frames in [0, 1], or with the complementary chance leave it."""
        drawn = self.draw(rng)
        return clip if drawn is None else self.apply(clip, drawn)

    def draw(self, rng: torch.Generator) -> P | None:
        """Draw the parameters for one sequence; None means that it is left as it is."""
        return self.parameters(rng) if chance(rng, self.probability) else None


def uniform(rng: torch.Generator, limits: Range) -> float:
    """Draw from the uniform distribution between two limits."""
    low, high = limits
    return low + (high - low) * torch.rand((), generator=rng, dtype=torch.float64).item()


def chance(rng: torch.Generator, probability: float) -> bool:
    """Return True with the given probability."""
    return uniform(rng, (0.0, 1.0)) < probability


def seed(rng: torch.Generator) -> int:
    """Draw the seed of a voxel-wise noise field, so that parameters need not hold the field."""
    return int(torch.randint(2**62, (), generator=rng).item())
