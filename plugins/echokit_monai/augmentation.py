"""Augmentations that draw parameters first and apply them after, so a draw can be repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from echokit import Clip
from echokit_monai.options import Range

P = TypeVar("P")
"""Parameters of one kind of augmentation, a frozen dataclass."""


@dataclass(frozen=True, slots=True)
class Augmentation(Generic[P]):
    """An augmenting transform: draws parameters and applies them to all frames of a sequence.

    `augmentation(clip, rng)` does both. To repeat an augmentation, keep the result of `draw(rng)`
    and pass it to `apply`.
    """

    probability: float
    """Chance in [0, 1] that a sequence is changed."""
    parameters: Callable[[torch.Generator], P]
    """Draws the parameters."""
    apply: Callable[[Clip, P], Clip]
    """Applies the parameters to every frame; the same input always gives the same result."""

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Augment a clip of float32 frames in [0, 1], or return it unchanged."""
        drawn = self.draw(rng)
        return clip if drawn is None else self.apply(clip, drawn)

    def draw(self, rng: torch.Generator) -> P | None:
        """Draw the parameters for one sequence; None leaves it unchanged."""
        return self.parameters(rng) if chance(rng, self.probability) else None


def uniform(rng: torch.Generator, limits: Range) -> float:
    """Draw from the uniform distribution between two limits."""
    low, high = limits
    return low + (high - low) * torch.rand((), generator=rng, dtype=torch.float64).item()


def chance(rng: torch.Generator, probability: float) -> bool:
    """Return True with the given probability."""
    return uniform(rng, (0.0, 1.0)) < probability


def seed(rng: torch.Generator) -> int:
    """Draw the seed of a noise field, which takes the place of the field in the parameters."""
    return int(torch.randint(2**62, (), generator=rng).item())
