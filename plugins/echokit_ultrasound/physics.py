"""Attenuation, shadow and haze: one draw for all frames of a sequence, applied by numpy."""

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
"""Smallest and largest value of each option of these transforms."""


def checked(name: str, **numbers: float) -> None:
    """Refuse numbers that are out of range.

    Raises:
        OptionError: a number is outside its `LIMITS`.
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
    """Darkens with depth; see `echokit_ultrasound.attenuation`."""

    probability: float
    """Chance in [0, 1] that a sequence is changed."""
    most: float
    """Largest exponent at the far end of the sector."""

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Augment a clip of float32 frames in [0, 1]."""
        chance, strong = draw(rng, 2)
        if chance >= self.probability:
            return clip
        return multiplied(clip, np.exp(-strong * self.most * depth(sector_of(clip))))


@dataclass(frozen=True, slots=True)
class Shadow:
    """Darkens around a random centre; see `echokit_ultrasound.shadow`."""

    probability: float
    """Chance in [0, 1] that a sequence is changed."""
    strength: float
    """Depth of the darkest shadow, in (0, 1]."""
    width: float
    """Largest standard deviation of the shadow, as a share of the frame."""

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Augment a clip of float32 frames in [0, 1]."""
        chance, place, strong, wide, high = draw(rng, 5)
        if chance >= self.probability:
            return clip
        inside = np.argwhere(sector_of(clip))
        if not len(inside):
            return clip
        row, column = inside[min(int(place * len(inside)), len(inside) - 1)]
        height, width = clip.frames.shape[1:]
        y = (np.arange(height) - row) / (height * self.width * (0.1 + 0.9 * high))
        x = (np.arange(width) - column) / (width * self.width * (0.1 + 0.9 * wide))
        shadow = np.exp(-(y[:, None] ** 2) / 2 - x[None, :] ** 2 / 2)
        return multiplied(clip, 1 - self.strength * (0.25 + 0.75 * strong) * shadow)


@dataclass(frozen=True, slots=True)
class Haze:
    """Adds a bright band of noise; see `echokit_ultrasound.haze`."""

    probability: float
    """Chance in [0, 1] that a sequence is changed."""
    strength: float
    """Largest brightness of the band, in (0, 1]."""

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Augment a clip of float32 frames in [0, 1]."""
        chance, centre, wide, strong = draw(rng, 4)
        if chance >= self.probability:
            return clip
        sector = sector_of(clip)
        deviation = 0.05 + 0.15 * wide
        band = np.exp(-(((depth(sector) - 0.05 - 0.9 * centre) / deviation) ** 2) / 2)
        noise = 1 + 0.3 * torch.randn(clip.frames.shape, generator=rng).numpy()
        added = (self.strength * strong * band * sector).astype(np.float32) * noise
        return replace(clip, frames=np.clip(clip.frames + added, 0, 1).astype(np.float32))


def depth(sector: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "H W"]:
    """Compute each pixel's depth: 0 at the sector's highest row, 1 at its lowest, in [0, 1]."""
    rows = np.flatnonzero(sector.any(axis=1))
    first, last = (rows[0], rows[-1]) if len(rows) else (0, len(sector) - 1)
    along = ((np.arange(len(sector)) - first) / max(1, last - first)).clip(0, 1)
    return np.broadcast_to(along[:, None], sector.shape)


def sector_of(clip: Clip) -> Bool[np.ndarray, "H W"]:
    """Return the clip's sector, or the whole frame if it is not known.

    Raises:
        ClipError: the frames are not float32, so they are those of a whole clip.
    """
    if clip.frames.dtype != np.float32:
        raise ClipError(
            f"This transform works on sequences, float32 frames in [0, 1], and these frames are "
            f"{clip.frames.dtype}: list it under [augment], not under [prepare]."
        )
    if clip.sector is not None:
        return clip.sector
    return np.ones(clip.frames.shape[1:], bool)


def multiplied(clip: Clip, factor: Float[np.ndarray, "*n H W"]) -> Clip:
    """Return the clip with its intensities multiplied and clamped to [0, 1]."""
    frames: Float32[np.ndarray, "T H W"] = (clip.frames * factor.astype(np.float32)).clip(0, 1)
    return replace(clip, frames=frames)


def draw(rng: torch.Generator, n: int) -> list[float]:
    """Draw n numbers from U(0, 1): always all of them, so the generator's next state is fixed."""
    return torch.rand(n, generator=rng, dtype=torch.float64).tolist()
