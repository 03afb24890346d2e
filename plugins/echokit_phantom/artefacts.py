"""What spoils a picture: shadows, reverberation, clutter, oblique cuts, breathing, the ECG's trace.

They are drawn for each clip, with the machine's probabilities. Sources:

    FE    Feigenbaum's Echocardiography, 8th ed., 2019, chapter 2: shadowing, reverberation,
          near-field clutter, side lobes, lateral drop-out.
    AN    J Acoust Soc Am 2007;122:581, "Anisotropy of the backscatter coefficient": heart muscle
          scatters most where the beam crosses its fibres, least along them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from echokit import VIEWS
from echokit_phantom.curves import Shape
from echokit_phantom.machine import Machine
from echokit_phantom.physiology import PerFrame
from echokit_phantom.sector import Sector
from echokit_phantom.tissue import smooth_noise, spread

LONG_AXIS = {"PLAX": 0, "A4C": 1}
"""Image axis (0 horizontal, 1 vertical) along which an oblique cut shortens the heart. The short
axes are not shortened: a change of their roundness would look like disease."""

_ARTEFACTS = 5
"""Part of the seed that tells this generator from those in `cohort` and `machine`."""
_ALIGNED = 2.0
"""Distance over which the direction of walls is averaged, mm (standard deviation)."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """Beams that rib or lung stands in front of."""

    centre: float
    """Position across the sector, -1 left to 1 right."""
    width: float
    """Half width, in the same unit."""
    start: float
    """Depth of what throws the shadow, mm from the sector's apex."""
    loss: float
    """Loss behind it, dB."""
    sway: float
    """How far breathing moves it, in the unit of `centre`."""


@dataclass(frozen=True, slots=True)
class Artefacts:
    """What spoils one clip; the defaults spoil nothing."""

    shadows: tuple[Shadow, ...] = ()
    """Shadows of ribs and lung."""
    reverberation: float = 0.0
    """Amplitude of the first repeated echo, relative to pericardium."""
    spacing: float = 6.0
    """Distance between repeated echoes, mm."""
    near_field: float = 0.0
    """Amplitude of clutter at the probe, relative to pericardium."""
    shortening: tuple[float, float] = (1.0, 1.0)
    """Scale of the heart across and along the image."""
    breath: float = 0.0
    """Amplitude of the movement with breathing, mm."""
    slide: float = 0.0
    """How far the probe slides during the clip, mm."""
    breath_phase: float = 0.0
    """Phase of breathing at the first frame, in cycles."""
    breath_rate: float = 50.0
    """Breaths per minute."""
    trace: bool = False
    """True where the ECG runs over the lower edge of the sector."""

    def breathing(self, frames: int, fps: float) -> PerFrame:
        """Compute the position of the chest wall in every frame, -1 to 1."""
        cycles = self.breath_phase + np.arange(frames) / fps * self.breath_rate / 60
        course: PerFrame = np.sin(2 * np.pi * cycles)
        return course

    def drift(self, frames: int, fps: float) -> Float[np.ndarray, "T 2"]:
        """Compute the movement of the heart in front of the probe, mm."""
        along = self.breath * self.breathing(frames, fps)
        across = 0.5 * along + self.slide * np.linspace(-0.5, 0.5, frames)
        return np.stack([across, along], axis=-1)


NOTHING = Artefacts()
"""No artefact."""


def artefact_rng(seed: int, patient: int, view: str) -> np.random.Generator:
    """Make the generator of a clip's artefacts."""
    return np.random.default_rng([seed, _ARTEFACTS, patient, VIEWS.index(view)])


def draw_artefacts(machine: Machine, view: str, rng: np.random.Generator) -> Artefacts:
    """Draw what spoils one clip."""
    # every draw is made whether or not it is used, so that one probability changes one artefact
    shadows = tuple(
        Shadow(
            centre=side * float(rng.uniform(0.45, 1.1)),
            width=float(rng.uniform(0.10, 0.28)),
            start=float(rng.uniform(3, 8)),
            loss=float(rng.uniform(8, 24)),
            sway=float(rng.uniform(0, 0.15)),
        )
        for side in (-1, 1)
    )
    thrown = rng.random(2) < machine.shadow * np.array([0.75, 0.55])
    repeated = float(np.exp(rng.uniform(np.log(0.02), np.log(0.10))))
    spacing, reverberates = float(rng.uniform(4, 8)), rng.random() < machine.reverberation
    near = machine.haze * float(rng.uniform(1, 5))
    # up to an eighth: an apex that is cut off by more is seen and corrected by the operator
    short, oblique = float(rng.uniform(0.875, 1)), rng.random() < machine.foreshortening
    scale = [1.0, 1.0]
    if view in LONG_AXIS and oblique:
        scale[LONG_AXIS[view]] = short
    breath, slide = float(rng.uniform(0.4, 1.4)), float(rng.normal(0, 1.0))
    moves, phase = rng.random() < machine.drift, float(rng.random())
    return Artefacts(
        shadows=tuple(s for s, wanted in zip(shadows, thrown, strict=True) if wanted),
        reverberation=repeated if reverberates else 0.0,
        spacing=spacing,
        near_field=near,
        shortening=(scale[0], scale[1]),
        breath=breath if moves else 0.0,
        slide=slide if moves else 0.0,
        breath_phase=phase,
        breath_rate=float(rng.uniform(40, 60)),
        trace=bool(rng.random() < machine.trace),
    )


def shadow_gain(
    sector: Sector, artefacts: Artefacts, breathing: PerFrame
) -> Float32[np.ndarray, "T samples beams"] | None:
    """Compute the amplitude that shadows leave of the echoes, by frame; None without shadows.

    The frames share one array where breathing does not move the shadows.
    """
    if not artefacts.shadows:
        return None
    across = np.linspace(-1, 1, sector.beams)
    radius = np.linspace(sector.near, sector.depth, sector.samples)
    loss = np.zeros((len(breathing), sector.samples, sector.beams), np.float32)
    for shadow in artefacts.shadows:
        centre = shadow.centre + shadow.sway * breathing[:, None]
        # flat in the middle, fading over the width of the beam at its sides
        covered = np.exp(-(((across - centre) / shadow.width) ** 4)).astype(np.float32)
        behind = 1 / (1 + np.exp(-(radius - shadow.start) / 0.8))
        loss += (shadow.loss * behind)[:, None].astype(np.float32) * covered[:, None]
    gain: Float32[np.ndarray, "T samples beams"] = np.power(np.float32(10), loss / np.float32(-20))
    return gain


def clutter_power(
    sector: Sector, machine: Machine, artefacts: Artefacts, rng: np.random.Generator
) -> Float32[np.ndarray, "samples beams"]:
    """Draw the power of echoes that do not come from where they are shown, the same in all frames.

    Haze over the picture, clutter near the probe, and the chest wall's echo repeated below it [FE].
    """
    shape = (sector.samples, sector.beams)
    depth = np.linspace(sector.near, sector.depth, sector.samples)[:, None]
    patches = np.exp(0.8 * smooth_noise(shape, 6, rng))
    amplitude = machine.haze * patches * np.exp(-depth / 40)
    amplitude = amplitude + artefacts.near_field * np.exp(-(depth - sector.near) / 6.0)
    if artefacts.reverberation:
        wall = sector.near + artefacts.spacing
        across = np.linspace(-1, 1, sector.beams)
        where = np.exp(-0.5 * ((across - rng.uniform(-0.5, 0.5)) / rng.uniform(0.3, 0.8)) ** 2)
        for order in range(1, 6):
            ring = np.exp(-0.5 * ((depth - wall - order * artefacts.spacing) / 0.45) ** 2)
            amplitude = amplitude + artefacts.reverberation * 0.55**order * ring * where
    speckle = rng.exponential(size=shape)
    for axis in (0, 1):  # as wide as a beam, so that it looks like speckle
        speckle = 0.5 * speckle + 0.25 * (np.roll(speckle, 1, axis) + np.roll(speckle, -1, axis))
    return (amplitude**2 * speckle).astype(np.float32)


def facing(
    shapes: Sequence[Shape], sector: Sector, rows: int = 40, columns: int = 32
) -> Float32[np.ndarray, "samples beams"]:
    """Compute how much the walls near each place face the beam: 1 across it, 0 parallel to it.

    Heart muscle, whose fibres lie in the wall, and the wall's surface echo most across the beam
    [AN]. It is the mean of the squared cosine between beam and normal over the mean outlines
    nearby; far from all outlines it is 0.6.
    """
    outlines = [s.outline.mean(axis=0) for s in shapes if s.labelled and s.structure]
    middles, reach = [], []
    for outline in outlines:
        edge = np.roll(outline, -1, axis=0) - outline
        middle = outline + 0.5 * edge
        beam = middle / np.maximum(np.linalg.norm(middle, axis=-1, keepdims=True), 1e-6)
        across = edge[:, 0] * beam[:, 1] - edge[:, 1] * beam[:, 0]
        length = np.linalg.norm(edge, axis=-1)
        middles.append(middle)
        reach.append(np.stack([length, across**2 / np.maximum(length, 1e-6)]))
    middle, (weight, squared) = np.concatenate(middles), np.concatenate(reach, axis=1)
    radius = np.linspace(sector.near, sector.depth, rows)[:, None]
    angle = np.linspace(-sector.half_angle, sector.half_angle, columns)
    places = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1).reshape(-1, 2)
    middle, places = middle.astype(np.float32), places.astype(np.float32)
    # squared distances by the cosine rule, as one matrix product
    distance = (places**2).sum(-1)[:, None] + (middle**2).sum(-1) - 2 * (places @ middle.T)
    near = np.exp(distance * np.float32(-0.5 / _ALIGNED**2))
    far = 0.5
    share = (near @ squared + 0.6 * far) / (near @ weight + far)
    coarse = share.reshape(rows, columns).astype(np.float32)
    grid: Float32[np.ndarray, "samples beams"] = (
        spread(sector.samples, rows) @ coarse @ spread(sector.beams, columns).T
    )
    return grid
