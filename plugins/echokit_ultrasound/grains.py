"""Speckle: the grainy pattern that interference makes of a uniform grey."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from echokit import Clip
from echokit_ultrasound.physics import draw, multiplied, sector_of

MEAN_AMPLITUDE = np.sqrt(np.pi) / 2
"""Mean amplitude (Rayleigh distributed) of a circular complex Gaussian of unit power."""


@dataclass(frozen=True, slots=True)
class Speckle:
    """Multiplies by speckle; see `echokit_ultrasound.speckle`."""

    probability: float
    """Chance in [0, 1] that a sequence is changed."""
    strength: float
    """Largest strength of the speckle, in (0, 1]."""
    grain: float
    """Size of the grains in pixels."""
    per_frame: bool
    """True draws a pattern for each frame."""

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Augment a clip of float32 frames in [0, 1]."""
        chance, strong = draw(rng, 2)
        if chance >= self.probability:
            return clip
        sector = sector_of(clip)
        frames, *size = clip.frames.shape
        pattern = amplitudes((frames if self.per_frame else 1, *size), self.grain, rng)
        return multiplied(clip, 1 + self.strength * strong * (pattern - 1) * sector)


def amplitudes(
    shape: tuple[int, ...], grain: float, rng: torch.Generator
) -> Float[np.ndarray, "n H W"]:
    """Draw patterns of fully developed speckle: Rayleigh distributed, of unit mean, in grains.

    A pattern is the amplitude of complex Gaussian noise, smoothed by a Gaussian kernel that wraps
    around the edges. Its square has a correlation of exp(-d² / 2 grain²) at a distance of d pixels.

    Args:
        shape: n patterns of height H and width W.
        grain: standard deviation of the kernel in pixels.
        rng: the only source of randomness.

    Returns:
        Patterns above 0; over many draws their mean is 1 and their standard deviation 0.52.
    """
    noise = torch.randn((2, *shape), generator=rng, dtype=torch.float64).numpy()
    rows, columns = (np.fft.fftfreq(side) for side in shape[1:])
    # the Fourier transform of a Gaussian is a Gaussian
    filtered = np.exp(-2 * (np.pi * grain) ** 2 * (rows[:, None] ** 2 + columns**2))
    filtered /= np.sqrt(2 * np.mean(filtered**2))  # unit power, half in the real part
    field = np.fft.ifft2(np.fft.fft2(noise[0] + 1j * noise[1]) * filtered)
    patterns: Float[np.ndarray, "n H W"] = np.abs(field) / MEAN_AMPLITUDE
    return patterns
