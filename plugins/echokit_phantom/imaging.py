"""Image formation by a machine: from scatterers to echoes, speckle reduction and grey levels."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32, UInt8

from echokit_phantom.acquisition import Controls
from echokit_phantom.artefacts import Artefacts, clutter_power, facing, shadow_gain
from echokit_phantom.curves import Shape
from echokit_phantom.machine import Machine
from echokit_phantom.physiology import PerFrame
from echokit_phantom.sector import Beams, Sector
from echokit_phantom.tissue import (
    CODES,
    MATERIALS,
    smooth_noise,
    speckle_tile,
    surroundings,
    texels,
)

_SLIDERS = 8
"""Number of sliders of time gain compensation."""
_LEVELS = 512
"""Steps of the grey map's table, finer than the grey levels."""
_PATCHES = ((1.6, 0.25), (5.0, 0.30))
"""Size in mm and strength of the muscle's uneven echogenicity."""


def operated(controls: Controls, machine: Machine, rng: np.random.Generator) -> Controls:
    """Replace the settings that belong to a machine; the position of the probe stays.

    Args:
        controls: settings of the clip, drawn by `draw_controls`.
        machine: the machine.
        rng: generator of the clip's artefacts and settings on this machine.
    """
    return replace(
        controls,
        half_angle=float(np.deg2rad(np.clip(machine.half_angle + rng.uniform(-4, 4), 30, 46))),
        axial=machine.axial,
        lateral=machine.lateral,
        mean=float(rng.uniform(46, 92)),
        noise=machine.noise * float(np.exp(rng.normal(0, 0.25))),
        flicker=float(rng.uniform(1.0, 4.0)),
    )


class MachineScanner:
    """Forms the echoes of a clip's frames on a machine; keeps what is the same in all of them."""

    def __init__(
        self,
        sector: Sector,
        shapes: tuple[Shape, ...],
        controls: Controls,
        machine: Machine,
        artefacts: Artefacts,
        breathing: PerFrame,
        rng: np.random.Generator,
    ) -> None:
        self._sector, self._machine, self._artefacts = sector, machine, artefacts
        self._breathing = breathing
        self._points = sector.points()
        samples, beams, _ = self._points.shape
        self._texel = 0.5 * sector.step
        self._side = 1 << math.ceil(math.log2(40 / self._texel))
        self._tile = speckle_tile(self._side, self._texel, rng, _PATCHES)
        self._around = surroundings(sector, rng)
        self._gain = _gain_map(sector, machine, rng)
        self._axial, self._sharp, self._broad, self._focus = _point_spread(sector, controls, rng)
        lobes = machine.lobes * _blur(beams, np.full(beams, 0.09 * beams))
        self._sharp += lobes.T
        self._broad += lobes.T
        self._pool = rng.standard_normal((2, 2 * samples, 2 * beams), dtype=np.float32)
        self._noise = controls.noise * np.linspace(0.25, 1, samples, dtype=np.float32)[:, None] ** 2
        self._cuts = rng.integers(0, (samples, beams), (len(breathing), 2))
        self._flow = rng.integers(0, self._side**2, len(breathing), dtype=np.int32)
        self._clutter = clutter_power(sector, machine, artefacts, rng)
        self._amplitude = np.array(list(MATERIALS.values()), np.float32)
        self._amplitude[CODES["blood"]] *= machine.blood
        aligned = facing(shapes, sector)
        # fibres lie along the wall: it is brightest where the beam crosses them
        self._across = (1 - machine.dropout * (1 - aligned) ** 2).astype(np.float32)
        self._mirror = (0.25 + 1.15 * aligned**2).astype(np.float32)

    def echoes(
        self,
        codes: UInt8[np.ndarray, "T fine beams"],
        moved: Float32[np.ndarray, "T rows columns 2"],
        first: int,
    ) -> Beams:
        """Form the echoes of consecutive frames after speckle reduction, in decibels.

        Args:
            codes: material at each place, with two rows per sample.
            moved: displacement of the tissue on a coarse grid, mm.
            first: index of the first frame in the clip.
        """
        count, fine, beams = codes.shape
        samples = fine // 2
        rows = self._amplitude[codes].reshape(count, samples, 2, beams)
        amplitude = 0.5 * (rows[:, :, 0] + rows[:, :, 1])
        coarse = codes[:, ::2]
        amplitude += np.where(coarse == CODES["background"], self._around, np.float32(0))
        edge = np.abs(amplitude[:, 2:] - amplitude[:, :-2]) * self._mirror[1:-1]
        amplitude *= self._across
        flow = (coarse == CODES["blood"]) * self._flow[first : first + count, None, None]
        texture = self._tile[texels(self._points, moved, self._texel, self._side, flow)]
        field = texture * amplitude
        field.real[:, 1:-1] += edge * (0.8 + 0.25 * texture.real[:, 1:-1])
        gain = shadow_gain(self._sector, self._artefacts, self._breathing[first : first + count])
        field *= self._gain if gain is None else self._gain * gain
        power = np.repeat(self._clutter[None], count, axis=0)
        power += np.float32(1e-8)  # keeps the logarithm finite
        for part, noise in zip((field.real, field.imag), self._pool, strict=True):
            beam = self._axial @ np.ascontiguousarray(part)
            echo = beam @ self._sharp
            echo += self._focus * (beam @ self._broad - echo)
            for index in range(count):
                top, left = self._cuts[first + index]
                echo[index] += self._noise * noise[top : top + samples, left : left + beams]
            power += echo * echo
        return despeckled(np.float32(10) * np.log10(power), self._machine.smoothing)


def despeckled(decibels: Beams, strength: float) -> Beams:
    """Smooth what differs little from its neighbours and keep borders.

    Args:
        decibels: echoes.
        strength: 0 for no change, 1 for the mean of 3 by 3 samples inside uniform tissue.
    """
    if strength == 0:
        return decibels
    mean = decibels.copy()
    mean[:, 1:-1] = 0.5 * decibels[:, 1:-1] + 0.25 * (decibels[:, 2:] + decibels[:, :-2])
    across = mean[:, :, 2:] + mean[:, :, :-2]
    mean[:, :, 1:-1] = 0.5 * mean[:, :, 1:-1] + np.float32(0.25) * across
    detail = decibels - mean
    squared = detail * detail
    # speckle spreads by about 5 dB; a difference of 12 dB and more is a border
    kept = squared / (squared + np.float32(144))
    detail *= np.float32(1 - strength) + np.float32(strength) * kept
    mean += detail
    return mean


class GreyMap:
    """Gain, compression, grey map and frame averaging of one clip."""

    def __init__(
        self, machine: Machine, controls: Controls, pilot: Float32[np.ndarray, "T pixels"]
    ) -> None:
        """Set the gain so that the picture's mean grey is the operator's, as in `grey_window`."""
        share = np.linspace(0, 1, _LEVELS) ** machine.gamma
        curve = share + machine.s_curve * (share * share * (3 - 2 * share) - share)
        self._table = (255 * curve).astype(np.float32)
        self._range = np.float32(machine.dynamic_range)
        self._scale = np.float32(_LEVELS - 1) / self._range
        low, high = -120.0, 20.0
        for _ in range(16):
            self._black = 0.5 * (low + high)
            if float(self._mapped(pilot).mean()) > controls.mean:
                low = self._black
            else:
                high = self._black
        self._persistence = np.float32(machine.persistence)
        self._last: Float32[np.ndarray, " pixels"] | None = None

    def _mapped(self, decibels: Float32[np.ndarray, "T pixels"]) -> Float32[np.ndarray, "T pixels"]:
        place = (decibels - np.float32(self._black)) * self._scale
        mapped: Float32[np.ndarray, "T pixels"] = self._table[
            np.clip(place, 0, _LEVELS - 1).astype(np.int16)
        ]
        return mapped

    def __call__(
        self,
        decibels: Float32[np.ndarray, "T pixels"],
        brightness: Float32[np.ndarray, "T 1"],
    ) -> Float32[np.ndarray, "T pixels"]:
        """Map the next frames of the clip, which are to come in order, to grey levels.

        Args:
            decibels: echoes inside the sector.
            brightness: change of each frame's brightness, grey levels at mid grey.
        """
        grey = self._mapped(decibels + brightness / np.float32(255) * self._range)
        for frame in grey:
            if self._last is not None:
                frame += self._persistence * (self._last - frame)
            self._last = frame
        return grey


def _gain_map(
    sector: Sector, machine: Machine, rng: np.random.Generator
) -> Float32[np.ndarray, "samples beams"]:
    """Draw the amplitude gain: sliders of time gain, lateral gain, fading edges, poor contact."""
    sliders = np.interp(
        np.linspace(0, _SLIDERS - 1, sector.samples),
        np.arange(_SLIDERS),
        machine.gain_error * rng.standard_normal(_SLIDERS),
    )
    angle = np.linspace(-1, 1, sector.beams)
    lateral = machine.gain_error * (
        rng.standard_normal() * angle + rng.standard_normal() * angle**2
    )
    edges = rng.uniform(1, 5) * np.abs(angle) ** 3
    beams = smooth_noise((1, sector.beams), 10, rng)[0]
    decibels = sliders[:, None] + lateral - edges + 0.8 * machine.gain_error * beams
    gain: Float32[np.ndarray, "samples beams"] = (10 ** (decibels / 20)).astype(np.float32)
    return gain


def _point_spread(
    sector: Sector, controls: Controls, rng: np.random.Generator
) -> tuple[
    Float32[np.ndarray, "samples samples"],
    Float32[np.ndarray, "beams beams"],
    Float32[np.ndarray, "beams beams"],
    Float32[np.ndarray, "samples 1"],
]:
    """Compute the separable point spread, whose size depends on depth.

    Returns:
        The matrix along beams, whose pulse lengthens by two fifths to the far edge as attenuation
        takes the high frequencies; the matrices across beams in and out of focus; and the share of
        the second one at each depth.
    """
    depth = np.linspace(0, 1, sector.samples)
    lengths = controls.axial * (1 + 0.4 * depth) / sector.step
    axial = _blur(sector.samples, np.maximum(lengths, 0.6))
    width = controls.lateral * (sector.beams - 1) / (2 * sector.half_angle)
    sharp = _blur(sector.beams, np.full(sector.beams, max(width, 0.6))).T
    broad = _blur(sector.beams, np.full(sector.beams, max(1.6 * width, 0.8))).T
    focus = np.clip(np.abs(depth - rng.uniform(0.4, 0.7)) / 0.6, 0, 1)[:, None]
    return axial, np.ascontiguousarray(sharp), np.ascontiguousarray(broad), focus.astype(np.float32)


def _blur(count: int, sd: Float[np.ndarray, " count"]) -> Float32[np.ndarray, "count count"]:
    """Make the matrix of a Gaussian of row-wise width that keeps the power of white noise."""
    offset = np.arange(count)[:, None] - np.arange(count)
    matrix = np.exp(-0.5 * (offset / sd[:, None]) ** 2)
    matrix[np.abs(offset) > 3.5 * sd[:, None]] = 0
    matrix /= np.sqrt((matrix**2).sum(axis=1, keepdims=True))
    single: Float32[np.ndarray, "count count"] = matrix.astype(np.float32)
    return single
