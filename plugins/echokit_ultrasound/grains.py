"""Speckle: what interference makes of an even grey."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from echokit import Clip
from echokit_ultrasound.physics import draw, multiplied, sector_of

MEAN_AMPLITUDE = np.sqrt(np.pi) / 2
"""Of a circular complex Gaussian of unit power, whose amplitude is Rayleigh distributed."""


@dataclass(frozen=True, slots=True)
class Speckle:
    """Grains of light and dark; see `echokit_ultrasound.speckle`."""

    probability: float
    strength: float
    grain: float
    per_frame: bool

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Augment a clip of float32 frames in [0, 1]."""
        acts, strong = draw(rng, 2)
        if acts >= self.probability:
            return clip
        sector = sector_of(clip)
        frames, *size = clip.frames.shape
        pattern = amplitudes((frames if self.per_frame else 1, *size), self.grain, rng)
        return multiplied(clip, 1 + self.strength * strong * (pattern - 1) * sector)


def amplitudes(
    shape: tuple[int, ...], grain: float, rng: torch.Generator
) -> Float[np.ndarray, "n H W"]:
    """Patterns of fully developed speckle: Rayleigh distributed, of unit mean, in grains.

    The amplitude of complex Gaussian noise that a Gaussian kernel has smoothed, round the edges of
    the frame. The correlation of its square at a distance of d pixels is exp(-d² / 2 grain²).

    Args:
        shape: n patterns of height H and width W.
        grain: standard deviation of the kernel in pixels.
        rng: the only source of randomness.

    Returns:
        Patterns above 0; over many draws their mean is 1 and their standard deviation 0.52.
    """
    noise = torch.randn((2, *shape), generator=rng, dtype=torch.float64).numpy()
    rows, columns = (np.fft.fftfreq(side) for side in shape[1:])
    kept = np.exp(-2 * (np.pi * grain) ** 2 * (rows[:, None] ** 2 + columns**2))
    kept /= np.sqrt(2 * np.mean(kept**2))  # unit power, half of it in each part
    field = np.fft.ifft2(np.fft.fft2(noise[0] + 1j * noise[1]) * kept)
    patterns: Float[np.ndarray, "n H W"] = np.abs(field) / MEAN_AMPLITUDE
    return patterns
