"""Image formation: from scatterers and echogenicity to echoes, log compression and grey levels.

Echoes are computed along beams (polar coordinates), so that the resolution decreases with depth as
in a real sector image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from echokit_phantom.sector import Beams, Sector
from echokit_phantom.tissue import CODES, MATERIALS, speckle_tile, surroundings, texels

_AMPLITUDE = np.array(list(MATERIALS.values()), np.float32)
_NOISE_POOL = 2
"""Electronic noise is cut out of a field this many times as wide, at a new place in each frame."""


@dataclass(frozen=True, slots=True)
class Controls:
    """Settings of operator and scanner, drawn independently of the patient."""

    half_angle: float
    """Half the sector's opening angle, radians."""
    zoom: float
    """Depth of the image relative to the usual depth of the view."""
    shift: tuple[float, float]
    """Translation of the heart relative to the probe, mm."""
    turn: float
    """Rotation of the probe, radians."""
    tilt: float
    """Foreshortening of one image axis, relative."""
    axial: float
    """Length of the pulse, mm (standard deviation of the point-spread function along a beam)."""
    lateral: float
    """Width of a beam, radians (standard deviation)."""
    mean: float
    """Mean grey level inside the sector; the gain is set to reach it."""
    contrast: float
    """Standard deviation of grey levels inside the sector; the dynamic range is set to reach it."""
    noise: float
    """Amplitude of electronic noise at the far edge, relative to pericardium."""
    flicker: float
    """Slow change of brightness between frames (probe contact), grey levels."""


def draw_controls(rng: np.random.Generator) -> Controls:
    """Draw the settings of one clip."""
    return Controls(
        half_angle=float(np.deg2rad(rng.uniform(33, 41))),
        zoom=float(rng.uniform(0.90, 1.14)),
        shift=(float(rng.normal(0, 1.3)), float(rng.normal(0, 1.2))),
        turn=float(np.deg2rad(rng.normal(0, 6))),
        tilt=float(np.exp(rng.normal(0, 0.03))),
        axial=float(rng.uniform(0.20, 0.30)),
        lateral=float(np.deg2rad(rng.uniform(0.55, 0.85))),
        mean=float(rng.uniform(60, 86)),
        contrast=float(rng.uniform(44, 56)),
        noise=float(np.exp(rng.normal(np.log(0.008), 0.35))),
        flicker=float(rng.uniform(1.5, 4.5)),
    )


class Scanner:
    """Forms the echoes of a clip's frames; keeps the values that are the same in all of them."""

    def __init__(
        self, sector: Sector, controls: Controls, frames: int, rng: np.random.Generator
    ) -> None:
        self._points = sector.points()
        self._texel = 0.5 * sector.step
        # a power of two, so that masking bits repeats the tile; at 40 mm this is not visible
        self._side = 1 << math.ceil(math.log2(40 / self._texel))
        self._tile = speckle_tile(self._side, self._texel, rng)
        self._around = surroundings(sector, rng)
        samples, beams = self._around.shape
        self._gain = _gain_map(sector, rng)
        self._axial = _blur(samples, max(controls.axial / sector.step, 0.6))
        width = 2 * sector.half_angle / (beams - 1)
        self._lateral = _blur(beams, max(controls.lateral / width, 0.6)).T
        pool = (2, _NOISE_POOL * samples, _NOISE_POOL * beams)
        self._pool = rng.standard_normal(pool, dtype=np.float32)
        rising = np.linspace(0.25, 1, samples, dtype=np.float32) ** 2
        self._noise = controls.noise * rising[:, None]
        self._cuts = rng.integers(0, (samples, beams), (frames, 2))
        self._flow = rng.integers(0, self._side**2, frames, dtype=np.int32)

    def echoes(
        self,
        codes: UInt8[np.ndarray, "T fine beams"],
        moved: Float32[np.ndarray, "T rows columns 2"],
        first: int,
    ) -> Beams:
        """Form the log-compressed echoes of consecutive frames, in decibels.

        Args:
            codes: material at each place, with two rows per sample.
            moved: displacement of the tissue on a coarse grid, mm.
            first: index of the first frame in the clip.
        """
        count, fine, beams = codes.shape
        rows = _AMPLITUDE[codes].reshape(count, fine // 2, 2, beams)
        amplitude = 0.5 * (rows[:, :, 0] + rows[:, :, 1])
        coarse = codes[:, ::2]
        amplitude += np.where(coarse == CODES["background"], self._around, np.float32(0))
        # a border that faces the beam reflects like a mirror: by the change along the beam
        edge = np.abs(amplitude[:, 2:] - amplitude[:, :-2])
        # speckle is multiplicative: scatterers weighted by the material's amplitude
        flow = (coarse == CODES["blood"]) * self._flow[first : first + count, None, None]
        texture = self._tile[texels(self._points, moved, self._texel, self._side, flow)]
        field = texture * amplitude
        field.real[:, 1:-1] += edge * (0.8 + 0.25 * texture.real[:, 1:-1])
        field *= self._gain
        power = np.full((count, fine // 2, beams), 1e-8, np.float32)  # keeps the logarithm finite
        for part, noise in zip((field.real, field.imag), self._pool, strict=True):
            # the point-spread function is separable: one product along beams, one across them
            echo = self._axial @ np.ascontiguousarray(part) @ self._lateral
            for index in range(count):
                top, left = self._cuts[first + index]
                echo[index] += self._noise * noise[top : top + fine // 2, left : left + beams]
            power += echo * echo
        return np.float32(10) * np.log10(power)


def grey_window(
    decibels: Float32[np.ndarray, "T pixels"], controls: Controls
) -> tuple[float, float]:
    """Find gain and dynamic range as an operator does: by the brightness of the picture.

    Mean and spread of the grey levels inside the sector reach the values drawn for the clip at any
    size of the dark chambers, so that brightness does not reveal the label.

    Args:
        decibels: a sample of the clip's frames.
        controls: `mean` and `contrast` to reach.

    Returns:
        Grey levels per decibel, and the grey level of 0 dB.
    """
    slope, level = 4.0, 200.0
    for _ in range(12):
        grey = np.clip(slope * decibels + level, 0, 255)
        ratio = controls.contrast / max(float(grey.std()), 1e-3)
        mean = float(grey.mean())
        slope *= ratio**0.8
        # change the slope about the mean, then move the mean to its target
        level = controls.mean + (level - mean) * ratio**0.8
    return slope, level


def _gain_map(sector: Sector, rng: np.random.Generator) -> Float32[np.ndarray, "samples beams"]:
    """Draw the amplitude gain: time-gain error, fading edges, and shadows of ribs or lung."""
    depth = np.linspace(-1, 1, sector.samples)[:, None]
    angle = np.linspace(-1, 1, sector.beams)
    decibels = 2.5 * rng.standard_normal() * depth + 2.0 * rng.standard_normal() * (depth**2 - 0.33)
    decibels = decibels - 2.5 * np.abs(angle) ** 3 + 1.5 * rng.standard_normal() * angle
    for _ in range(rng.poisson(1.2)):
        centre, width = rng.uniform(-1, 1), rng.uniform(0.03, 0.10)
        decibels = decibels - rng.uniform(4, 11) * np.exp(-0.5 * ((angle - centre) / width) ** 2)
    return (10 ** (decibels / 20)).astype(np.float32)


def _blur(count: int, sd: float) -> Float32[np.ndarray, "count count"]:
    """Make the matrix of a Gaussian point-spread function that keeps the power of white noise."""
    offset = np.arange(count)[:, None] - np.arange(count)
    matrix = np.exp(-0.5 * (offset / sd) ** 2)
    matrix[np.abs(offset) > 3.5 * sd] = 0
    matrix /= np.sqrt((matrix**2).sum(axis=1, keepdims=True))
    return matrix.astype(np.float32)
