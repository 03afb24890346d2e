"""Attenuation, shadow and haze on the frames of a sequence; numpy, one draw for all frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32

from echokit import Clip, ClipError, OptionError

LIMITS = {
    "probability": (0.0, 1.0),
    "most": (1e-6, 100.0),
    "strength": (1e-6, 1.0),
    "width": (1e-6, 1.0),
    "grain": (0.5, 100.0),
}


def checked(name: str, **numbers: float) -> None:
    """Refuse numbers out of their range.

    Raises:
        OptionError: one is.
    """
    for option, value in numbers.items():
        low, high = LIMITS[option]
        if not low <= value <= high:
            raise OptionError(
                f"The transform {name!r} was given {option}={value}: give a number from {low:g} "
                f"to {high:g}."
            )


@dataclass(frozen=True, slots=True)
class Attenuation:
    """Darker with depth; see `echokit_ultrasound.attenuation`."""

    probability: float
    most: float

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Augment a clip of float32 frames in [0, 1]."""
        acts, where = draw(rng, 2)
        if acts >= self.probability:
            return clip
        return multiplied(clip, np.exp(-where * self.most * depth(sector_of(clip))))


@dataclass(frozen=True, slots=True)
class Shadow:
    """A dark place; see `echokit_ultrasound.shadow`."""

    probability: float
    strength: float
    width: float

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Augment a clip of float32 frames in [0, 1]."""
        acts, place, strong, wide, high = draw(rng, 5)
        if acts >= self.probability:
            return clip
        inside = np.argwhere(sector_of(clip))
        if not len(inside):
            return clip
        row, column = inside[min(int(place * len(inside)), len(inside) - 1)]
        height, width = clip.frames.shape[1:]
        y = (np.arange(height) - row) / (height * self.width * (0.1 + 0.9 * high))
        x = (np.arange(width) - column) / (width * self.width * (0.1 + 0.9 * wide))
        dark = np.exp(-(y[:, None] ** 2) / 2 - x[None, :] ** 2 / 2)
        return multiplied(clip, 1 - self.strength * (0.25 + 0.75 * strong) * dark)


@dataclass(frozen=True, slots=True)
class Haze:
    """A bright band; see `echokit_ultrasound.haze`."""

    probability: float
    strength: float

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Augment a clip of float32 frames in [0, 1]."""
        acts, where, wide, strong = draw(rng, 4)
        if acts >= self.probability:
            return clip
        sector = sector_of(clip)
        deviation = 0.05 + 0.15 * wide
        band = np.exp(-(((depth(sector) - 0.05 - 0.9 * where) / deviation) ** 2) / 2)
        noise = 1 + 0.3 * torch.randn(clip.frames.shape, generator=rng).numpy()
        added = (self.strength * strong * band * sector).astype(np.float32) * noise
        return replace(clip, frames=np.clip(clip.frames + added, 0, 1).astype(np.float32))


def depth(sector: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "H W"]:
    """Depth of each pixel: 0 at the sector's highest row, 1 at its lowest, in [0, 1]."""
    rows = np.flatnonzero(sector.any(axis=1))
    first, last = (rows[0], rows[-1]) if len(rows) else (0, len(sector) - 1)
    along = ((np.arange(len(sector)) - first) / max(1, last - first)).clip(0, 1)
    return np.broadcast_to(along[:, None], sector.shape)


def sector_of(clip: Clip) -> Bool[np.ndarray, "H W"]:
    """The clip's sector; the whole frame where it is not known.

    Raises:
        ClipError: frames are not float32, so they are not of a sequence that was drawn.
    """
    if clip.frames.dtype != np.float32:
        raise ClipError(
            f"This transform works on sequences, float32 frames in [0, 1], and these frames are "
            f"{clip.frames.dtype}: list it under [augment], not under [prepare]."
        )
    if clip.sector is not None:
        return clip.sector
    return np.ones(clip.frames.shape[1:], bool)


def multiplied(clip: Clip, by: Float[np.ndarray, "*n H W"]) -> Clip:
    """The clip with its intensities multiplied, and kept in [0, 1]."""
    frames: Float32[np.ndarray, "T H W"] = (clip.frames * by.astype(np.float32)).clip(0, 1)
    return replace(clip, frames=frames)


def draw(rng: torch.Generator, n: int) -> list[float]:
    """As many numbers from U(0, 1) whether the transform then acts or not."""
    return torch.rand(n, generator=rng, dtype=torch.float64).tolist()
