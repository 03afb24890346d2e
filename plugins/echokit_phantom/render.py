"""One synthetic clip, from patient and view to frames and their ground truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from echokit import Clip
from echokit_phantom.acquisition import Controls, Scanner, draw_controls, grey_window
from echokit_phantom.cohort import Patient, Settings, clip_rng, patient_rng
from echokit_phantom.curves import Curve, Shape, dense
from echokit_phantom.painting import Layer, paint
from echokit_phantom.physiology import Beat, PerFrame, draw_beat, draw_heart
from echokit_phantom.sector import Sector, scan_converter
from echokit_phantom.tissue import CODES, displacement
from echokit_phantom.views import PLANES, Plane

_CHUNK = 8
"""Frames formed at a time; bounds memory, and keeps a chunk near the processor."""
_PILOT = 12
"""Frames that the gain is set by, spread over the clip."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The moving anatomy before the probe, and how the machine is set."""

    shapes: tuple[Shape, ...]
    """In millimetres before the probe."""
    structures: tuple[str, ...]
    """Names in the label map, label 1 first."""
    sector: Sector
    controls: Controls
    beat: Beat
    """The cardiac cycle by frame."""


def stage(settings: Settings, patient: Patient, view: str) -> tuple[Scene, np.random.Generator]:
    """Set up one clip: the heart, its beat, and where it lies before the probe.

    Returns:
        The scene, and the clip's own generator, from which image formation goes on drawing.
    """
    shared = patient_rng(settings.seed, patient.number)
    shared.standard_normal()  # the patient's severity was the first draw
    own = clip_rng(settings.seed, patient.number, view)
    frames = max(2, round(settings.frames + settings.frames_sd * own.standard_normal()))
    heart = draw_heart(patient.severity, shared, own)
    beat = draw_beat(frames, settings.fps, own)
    plane = PLANES[view]
    controls = draw_controls(own)
    sector = Sector(settings.size, plane.depth * controls.zoom, controls.half_angle)
    place = _placement(plane, controls, frames / settings.fps, beat, own)
    shapes = tuple(
        Shape(s.material, place(dense(s.outline)), s.structure, s.labelled)
        for s in plane.draw(heart, beat, own)
    )
    return Scene(shapes, plane.structures, sector, controls, beat), own


def render(settings: Settings, patient: Patient, view: str) -> tuple[Clip, PerFrame]:
    """Make the clip of one patient's view.

    Returns:
        Frames `(T, size, size)` uint8, 0 outside the sector, with fps, spacing and structures.
        The sector is left for the prepare transforms to find. Beside it the cardiac phase of
        each frame.
    """
    # the products are small: a second thread costs more than it brings, the more so beside others
    with threadpool_limits(1, user_api="blas"):
        return _render(*stage(settings, patient, view), settings.fps)


def _render(scene: Scene, rng: np.random.Generator, fps: float) -> tuple[Clip, PerFrame]:
    """Form the image of a scene, frame by frame."""
    size = scene.sector.size
    count = len(scene.beat.phase)
    convert = scan_converter(scene.sector)
    scanner = Scanner(scene.sector, scene.controls, count, rng)
    moved = displacement(scene.shapes, scene.sector)
    tissue = [
        Layer(CODES[s.material], _finer(scene.sector.to_beams(s.outline))) for s in scene.shapes
    ]
    brightness = _flicker(count, scene.controls.flicker, rng)

    def decibels(first: int, last: int) -> Float32[np.ndarray, "T pixels"]:
        frames = slice(first, last)
        codes = paint(tissue, frames, 2 * scene.sector.samples, scene.sector.beams)
        return convert(scanner.echoes(codes, moved[frames], first))

    pilots = np.unique(np.linspace(0, count - 1, _PILOT).astype(int))
    pilot = np.concatenate([decibels(int(n), int(n) + 1) for n in pilots])
    slope, level = grey_window(pilot[:, ::3], scene.controls)

    frames = np.zeros((count, size, size), np.uint8)
    for first in range(0, count, _CHUNK):
        last = min(first + _CHUNK, count)
        grey = slope * decibels(first, last) + (level + brightness[first:last, None])
        frames[first:last, convert.inside] = np.clip(grey, 1, 255)  # 0 is kept for outside
    clip = Clip(
        frames=frames,
        fps=fps,
        spacing=(scene.sector.spacing, scene.sector.spacing),
        structures=label_map(scene, convert.inside),
        structure_names=scene.structures,
    )
    return clip, scene.beat.phase


def label_map(scene: Scene, inside: Bool[np.ndarray, "H W"]) -> UInt8[np.ndarray, "T H W"]:
    """Paint the ground truth of a scene: label n is its n-th structure, 0 is everything else."""
    layers = [
        Layer(
            scene.structures.index(shape.structure) + 1 if shape.structure else 0,
            scene.sector.to_pixels(shape.outline),
        )
        for shape in scene.shapes
        if shape.labelled
    ]
    size = scene.sector.size
    return paint(layers, slice(None), size, size) * inside.astype(np.uint8)


def _placement(
    plane: Plane, controls: Controls, seconds: float, beat: Beat, rng: np.random.Generator
) -> Callable[[Curve], Curve]:
    """The map from a view's own coordinates to millimetres before the probe, frame by frame."""
    frames = len(beat.phase)
    cos, sin = np.cos(controls.turn), np.sin(controls.turn)
    turned = np.array([[cos, sin], [-sin, cos]]) * [controls.tilt, 1 / controls.tilt]
    breaths = seconds * rng.uniform(40, 60) / 60
    breathing = np.sin(2 * np.pi * (np.linspace(0, breaths, frames) + rng.uniform()))
    hand = np.cumsum(rng.normal(0, 0.03, (frames, 2)), axis=0)
    way = rng.normal(0, 0.35, 2) * breathing[:, None] + hand - hand.mean(axis=0)
    # in systole the heart moves a little towards the chest wall
    way += np.array([0.0, -0.5]) * beat.squeeze[:, None]
    way += np.array(plane.origin) + controls.shift

    def place(curve: Curve) -> Curve:
        placed: Curve = curve @ turned + way[:, None]
        return placed

    return place


def _finer(curve: Curve) -> Curve:
    """(beam, sample) to (beam, half sample)."""
    finer: Curve = curve * np.array([1.0, 2.0]) + np.array([0.0, 0.5])
    return finer


def _flicker(frames: int, sd: float, rng: np.random.Generator) -> Float32[np.ndarray, " T"]:
    """Slow wander of brightness, grey levels."""
    white = rng.standard_normal(frames + 24)
    kernel = np.hanning(25) / np.sqrt((np.hanning(25) ** 2).sum())
    return (sd * np.convolve(white, kernel, mode="valid")).astype(np.float32)
