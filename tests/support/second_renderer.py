"""A second, differently built renderer of synthetic clips: networks that learned on `phantom` must
carry over to it.

Hearts are implicit functions (`second_anatomy`). Pictures are formed in Cartesian pixels: complex
speckle is carried along with the tissue by a smooth warp, weighted by the tissue's echo strength,
blurred more across than along, and its modulus (Rayleigh distributed) is log compressed. There are
no beams. Nothing is imported from the plugin `phantom`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates, zoom
from second_anatomy import (
    NAMES,
    Heart,
    Plane,
    draw_heart,
    four_chambers,
    long_axis,
    short_axis,
    squeeze,
)

from echokit import Clip, ClipRef

VIEWS = tuple(NAMES)
PREVALENCE = (0.5, 0.2, 0.15, 0.15)
"""Shares of the grades 0 to 3."""
_TILE = 512
"""Side of the field of scatterers in pixels of 0.25 mm."""
_PLACES = {"PSAX-P": (2.5, 27.0, 47.0), "PLAX": (6.0, 20.0, 50.0), "A4C": (0.5, 37.0, 58.0)}
"""Where each heart lies, mm right of the probe and below it, and the picture's depth in mm."""


class SecondCohort:
    """Loader of clips by the second renderer; `read` makes a clip anew, the same every time."""

    def __init__(
        self,
        patients: int = 100,
        views: Sequence[str] = ("PSAX-P",),
        size: int = 112,
        frames: int = 40,
        seed: int = 0,
    ) -> None:
        self.size, self.frames, self.seed = size, frames, seed
        counts = np.floor(np.cumsum((0, *PREVALENCE)) * patients + 0.5).astype(int)
        self.grades = np.repeat(np.arange(4), np.diff(counts))
        np.random.default_rng([seed, 11]).shuffle(self.grades)
        self.views = tuple(views)

    def index(self) -> Iterator[ClipRef]:
        """Every view of every patient."""
        for number, grade in enumerate(self.grades):
            for view in self.views:
                name = f"S{number:04d}"
                yield ClipRef(
                    f"{name}-{view}", name, view, {"grade": str(grade)}, f"{number} {view}", True
                )

    def read(self, ref: ClipRef) -> Clip:
        """Render a clip."""
        number, view = ref.where.split()
        return self.render(int(number), view)

    def render(self, number: int, view: str, grade: int | None = None) -> Clip:
        """Render a patient's view, of another grade where one is given."""
        heart = draw_heart(
            int(self.grades[number]) if grade is None else grade,
            np.random.default_rng([self.seed, 12, number]),
        )
        rng = np.random.default_rng([self.seed, 13, number, VIEWS.index(view)])
        return render(heart, view, self.size, self.frames, rng)

    def write(self, out: Path) -> Path:
        """Write clips, masks and a manifest that the loader `files` reads; returns the manifest."""
        out.mkdir(parents=True)
        with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("clip", "patient", "view", "grade", "file", "synthetic"))
            for ref in self.index():
                clip = self.read(ref)
                np.savez_compressed(
                    out / f"{ref.clip}.npz", frames=clip.frames, fps=clip.fps,
                    spacing=np.array(clip.spacing), structures=clip.structures,
                    names=np.array(clip.structure_names),
                )  # fmt: skip
                row = (ref.clip, ref.patient, ref.view, ref.labels["grade"], f"{ref.clip}.npz")
                writer.writerow((*row, "true"))
        return out / "manifest.csv"


def render(heart: Heart, view: str, size: int, frames: int, rng: np.random.Generator) -> Clip:
    """Render a clip of a heart."""
    right, below, depth = _PLACES[view]
    depth *= rng.uniform(0.94, 1.10)
    half, face = np.deg2rad(rng.uniform(33, 44)), rng.uniform(1.5, 5.0)
    spacing = max(depth, 2 * np.sin(half) * (depth + face)) / (0.97 * size)
    x, z = np.meshgrid(*(np.arange(size) * spacing,) * 2)
    x = x - x.mean()
    # a fan with the probe's curved face at its top
    radius, angle = np.hypot(x, z + face), np.abs(np.arctan2(x, z + face))
    fan = (angle < half) & (radius > face + 0.5) & (radius < depth + face)
    turn = np.deg2rad(rng.normal(0, 6)) - (np.deg2rad(127) if view == "PSAX-P" else 0)
    centre = right + rng.normal(0, 1.2), below + rng.normal(0, 1.2)
    fps = float(rng.uniform(24, 50))
    phases = (rng.uniform() + np.arange(frames) / fps * rng.uniform(1.9, 2.6)) % 1
    sway = gaussian_filter1d(rng.normal(0, 1, (frames, 2)), 6, axis=0) * 1.5
    picture = _Picture(x, z, fan, spacing, rng)
    pictures, structures = [], []
    for phase, (dx, dz) in zip(phases, sway, strict=True):
        u, v = _turned(x - centre[0] - dx, z - centre[1] - dz, view, turn)
        draw = {"PSAX-P": short_axis, "PLAX": long_axis, "A4C": four_chambers}[view]
        tissue, labels = draw(heart, float(phase), u, v)
        pictures.append(picture.decibels(tissue, *_carried(heart, float(phase), u, v)))
        structures.append(labels * fan)
    grey = picture.grey(np.stack(pictures))
    return Clip(
        frames=grey, fps=fps, spacing=(spacing, spacing), structures=np.stack(structures),
        structure_names=NAMES[view],
    )  # fmt: skip


def _turned(x: Plane, z: Plane, view: str, turn: float) -> tuple[Plane, Plane]:
    """Turn the picture's axes to those of the heart."""
    cos, sin = np.cos(turn), np.sin(turn)
    u, v = cos * x + sin * z, -sin * x + cos * z
    # the short axis counts from the septum towards the free wall
    return (-u, -v) if view == "PSAX-P" else (u, v)


def _carried(heart: Heart, phase: float, u: Plane, v: Plane) -> tuple[Plane, Plane]:
    """Where the tissue at each pixel lies at end diastole: it shrinks and turns in systole."""
    tension = squeeze(phase)
    share = np.exp(-((np.hypot(u, v) / (2.4 * heart.radius)) ** 4))
    scale = 1 + (1 / (1 - 0.6 * heart.shortening * tension) - 1) * share
    twist = 0.10 * tension * share
    cos, sin = scale * np.cos(twist), scale * np.sin(twist)
    return cos * u - sin * v, sin * u + cos * v


class _Picture:
    """What all pictures of a clip share: scatterers, blur, shading, noise and grey map."""

    def __init__(
        self, x: Plane, z: Plane, fan: Plane, spacing: float, rng: np.random.Generator
    ) -> None:
        self._fan, self._rng = fan, rng
        self._x, self._z = x, z
        noise = rng.normal(size=(2, _TILE, _TILE)).astype(np.float32)
        self._field = gaussian_filter(noise, (0, 0.5, 0.5), mode="wrap")
        self._field /= self._field.std() * np.sqrt(2)
        self._patches = 2.2 * _waves(_TILE, 40, rng) + 1.6 * _waves(_TILE, 12, rng)
        along, across = rng.uniform(0.14, 0.30), rng.uniform(0.28, 0.62)
        self._blur = max(along / spacing, 0.45), max(across / spacing, 0.6)
        self._calm = rng.uniform(0.06, 0.22) / spacing
        # dB of: around the heart, blood, muscle, papillary muscle, leaflet, pericardium
        self._levels = np.array([-15.0, -40.0, -12.0, -9.5, -5.0, -1.0]) + rng.normal(0, 1.2, 6)
        self._levels[1] += rng.uniform(-4, 6)
        shading = 3.0 * zoom(rng.normal(size=(5, 5)), len(x) / 5, order=3)
        wedge = np.exp(-(((np.arctan2(x, z + 4) - rng.choice((-0.6, 0.6))) / 0.16) ** 2))
        self._shading = shading - rng.uniform(0, 16) * wedge * (z > 4)
        self._haze = 10 ** (rng.uniform(-52, -38) / 10) + 10 ** (
            rng.uniform(-30, -16) / 10
        ) * np.exp(-z / rng.uniform(2.5, 5))
        self._around = -9.0 * np.clip(z / z.max() - 0.7, 0, 1) + 7.0 * np.exp(
            -(((z - rng.uniform(2, 4)) / 1.2) ** 2)
        )
        self._range = rng.uniform(45, 66)
        self._mean = rng.uniform(48, 88)
        self._gamma = rng.uniform(0.8, 1.25)

    def decibels(self, tissue: UInt8[np.ndarray, "H W"], u: Plane, v: Plane) -> Plane:
        """Echoes of one frame, whose tissue was at (u, v) at end diastole."""
        blood = tissue == 1
        moved = np.stack([v, u]) / 0.25
        level = self._levels[tissue] + self._around * (tissue == 0)
        level += _looked_up(self._patches, moved) * ~blood
        shift = np.round(self._rng.uniform(0, _TILE, 2))[:, None, None]
        place = moved + np.where(blood, shift, 0)  # blood is new in every frame
        strength = 10 ** ((level + self._shading) / 20)
        # a border across the beam mirrors it
        rise = np.abs(np.gradient(gaussian_filter(strength, 0.6), axis=0))
        power = np.zeros(tissue.shape)
        for part in self._field:
            echo = strength * _looked_up(part, place) + 0.9 * rise
            power += gaussian_filter(echo, self._blur) ** 2
        power *= 4 * np.pi * self._blur[0] * self._blur[1]  # blurring white noise takes power
        power += self._haze * self._rng.exponential(size=power.shape)
        return 10 * np.log10(gaussian_filter(power, self._calm) + 1e-7)

    def grey(self, decibels: Float[np.ndarray, "T H W"]) -> UInt8[np.ndarray, "T H W"]:
        """Set the gain by the mean grey and map the echoes to grey levels, 0 outside the fan."""
        low, high = -100.0, 40.0
        for _ in range(18):
            black = 0.5 * (low + high)
            share = np.clip((decibels[::5][:, self._fan] - black) / self._range, 0, 1)
            bright = 255 * (share**self._gamma).mean() > self._mean
            low, high = (black, high) if bright else (low, black)
        share = np.clip((decibels - black) / self._range, 0, 1) ** self._gamma
        return (np.clip(255 * share, 1, 255) * self._fan).astype(np.uint8)


def _looked_up(field: Plane, place: Float[np.ndarray, "2 H W"]) -> Plane:
    """Interpolate a field that repeats itself."""
    return map_coordinates(field, place, order=1, mode="grid-wrap")


def _waves(side: int, smooth: float, rng: np.random.Generator) -> Plane:
    """Smooth noise of unit spread that repeats itself."""
    noise = rng.normal(size=(side // 4, side // 4))
    noise = gaussian_filter(noise, smooth / 4, mode="wrap")
    noise = np.repeat(np.repeat(noise, 4, axis=0), 4, axis=1)
    return ((noise - noise.mean()) / noise.std()).astype(np.float32)
