"""Rendering of one synthetic clip: from patient and view to frames and their ground truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from echokit import Clip
from echokit_phantom.acquisition import Controls, Scanner, draw_controls, grey_window
from echokit_phantom.artefacts import NOTHING, Artefacts, artefact_rng, draw_artefacts
from echokit_phantom.cohort import Patient, Settings, clip_rng, patient_rng
from echokit_phantom.curves import Curve, Shape, dense
from echokit_phantom.imaging import GreyMap, MachineScanner, operated
from echokit_phantom.machine import Machine, machine_of
from echokit_phantom.painting import Layer, paint
from echokit_phantom.physiology import Beat, PerFrame, draw_beat, draw_heart
from echokit_phantom.screen import draw_trace
from echokit_phantom.sector import Sector, scan_converter
from echokit_phantom.tissue import CODES, displacement, uneven
from echokit_phantom.views import PLANES, Plane

_CHUNK = 8
"""Frames computed at a time: limits memory, and keeps a chunk in the processor's cache."""
_PILOT = 12
"""Number of frames, spread over the clip, that the gain is set by."""

Levels = Float32[np.ndarray, "T pixels"]
"""Decibels or grey levels inside the sector."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The moving anatomy in front of the probe, and the scanner's settings."""

    shapes: tuple[Shape, ...]
    """The anatomy in millimetres from the probe, in the order of painting."""
    structures: tuple[str, ...]
    """Names in the label map, label 1 first."""
    sector: Sector
    """The field of view."""
    controls: Controls
    """Settings of operator and scanner."""
    beat: Beat
    """The cardiac cycle by frame."""
    fps: float
    """Frames per second."""
    machine: Machine | None = None
    """The machine; None for the reference picture."""
    artefacts: Artefacts = NOTHING
    """What spoils the picture; nothing does in the reference."""


def stage(settings: Settings, patient: Patient, view: str) -> tuple[Scene, np.random.Generator]:
    """Draw the scene of one clip: the heart, its beat, and its position in front of the probe.

    Returns:
        The scene, and the clip's generator, from which image formation draws next.
    """
    shared = patient_rng(settings.seed, patient.number)
    shared.standard_normal()  # skip the first draw, which was the patient's severity
    rng = clip_rng(settings.seed, patient.number, view)
    # the order of these draws fixes the pixels of every seed: change it with `GENERATOR` only
    frames = max(2, round(settings.frames + settings.frames_sd * rng.standard_normal()))
    machine, artefacts = machine_of(settings.machine, settings.seed, patient.number), NOTHING
    fps = machine.fps if machine else settings.fps
    heart = draw_heart(patient.severity, shared, rng)
    beat = draw_beat(frames, fps, rng)
    plane = PLANES[view]
    controls, density = draw_controls(rng), 1.0
    if machine:  # from a generator of its own: the heart is the same with every machine
        own = artefact_rng(settings.seed, patient.number, view)
        artefacts = draw_artefacts(machine, view, own)
        controls, density = operated(controls, machine, own), machine.density
    depth = plane.depth * controls.zoom
    sector = Sector(settings.size_of(patient.number), depth, controls.half_angle, density=density)
    place = _placement(plane, controls, artefacts, fps, beat, rng)
    shapes = tuple(
        Shape(s.material, place(dense(s.outline)), s.structure, s.labelled)
        for s in plane.draw(heart, beat, rng)
    )
    return Scene(shapes, plane.structures, sector, controls, beat, fps, machine, artefacts), rng


def render(settings: Settings, patient: Patient, view: str) -> tuple[Clip, PerFrame]:
    """Render the clip of a patient's view.

    Returns:
        Frames `(T, size, size)` uint8, 0 outside the sector, with fps, spacing and structures.
        The sector is left for the prepare transforms to find. The second value is the cardiac
        phase of each frame.
    """
    # the matrix products are small: more threads take longer, above all beside other processes
    with threadpool_limits(1, user_api="blas"):
        return _render(*stage(settings, patient, view))


def _render(scene: Scene, rng: np.random.Generator) -> tuple[Clip, PerFrame]:
    """Form the images of a scene."""
    size = scene.sector.size
    count = len(scene.beat.phase)
    convert = scan_converter(scene.sector)
    scanner = _scanner(scene, rng)
    moved = displacement(scene.shapes, scene.sector)
    shapes = uneven(scene.shapes, rng) if scene.machine else scene.shapes
    tissue = [Layer(CODES[s.material], _finer(scene.sector.to_beams(s.outline))) for s in shapes]
    brightness = _flicker(count, scene.controls.flicker, rng)

    def decibels(first: int, last: int) -> Float32[np.ndarray, "T pixels"]:
        frames = slice(first, last)
        codes = paint(tissue, frames, 2 * scene.sector.samples, scene.sector.beams)
        return convert(scanner.echoes(codes, moved[frames], first))

    pilots = np.unique(np.linspace(0, count - 1, _PILOT).astype(int))
    pilot = np.concatenate([decibels(int(n), int(n) + 1) for n in pilots])
    grey = _grey_map(scene, pilot[:, ::3])

    frames = np.zeros((count, size, size), np.uint8)
    for first in range(0, count, _CHUNK):
        last = min(first + _CHUNK, count)
        levels = grey(decibels(first, last), brightness[first:last, None])
        # 0 marks pixels outside the sector
        frames[first:last, convert.inside] = np.clip(levels, 1, 255)
    if scene.artefacts.trace:
        draw_trace(frames, convert.inside, scene.beat.phase, scene.fps)
    clip = Clip(
        frames=frames,
        fps=scene.fps,
        spacing=(scene.sector.spacing, scene.sector.spacing),
        structures=label_map(scene, convert.inside),
        structure_names=scene.structures,
    )
    return clip, scene.beat.phase


def _scanner(scene: Scene, rng: np.random.Generator) -> Scanner | MachineScanner:
    """Make what forms the echoes of a scene."""
    count = len(scene.beat.phase)
    if scene.machine is None:
        return Scanner(scene.sector, scene.controls, count, rng)
    breathing = scene.artefacts.breathing(count, scene.fps)
    return MachineScanner(
        scene.sector, scene.shapes, scene.controls, scene.machine, scene.artefacts, breathing, rng
    )


def _grey_map(
    scene: Scene, pilot: Float32[np.ndarray, "T pixels"]
) -> Callable[[Levels, Levels], Levels]:
    """Set the map from decibels and a change of brightness to grey levels."""
    if scene.machine is not None:
        return GreyMap(scene.machine, scene.controls, pilot)
    slope, level = grey_window(pilot, scene.controls)
    return lambda decibels, brightness: slope * decibels + (level + brightness)


def label_map(scene: Scene, inside: Bool[np.ndarray, "H W"]) -> UInt8[np.ndarray, "T H W"]:
    """Paint the ground truth of a scene: label n is the n-th structure, 0 the background."""
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
    plane: Plane,
    controls: Controls,
    artefacts: Artefacts,
    fps: float,
    beat: Beat,
    rng: np.random.Generator,
) -> Callable[[Curve], Curve]:
    """Make the motion from a view's coordinates to millimetres from the probe, by frame."""
    frames = len(beat.phase)
    cos, sin = np.cos(controls.turn), np.sin(controls.turn)
    turned = np.array([[cos, sin], [-sin, cos]]) * [controls.tilt, 1 / controls.tilt]
    turned = np.array(artefacts.shortening)[:, None] * turned
    breaths = frames / fps * rng.uniform(40, 60) / 60
    breathing = np.sin(2 * np.pi * (np.linspace(0, breaths, frames) + rng.uniform()))
    hand = np.cumsum(rng.normal(0, 0.03, (frames, 2)), axis=0)
    shift = rng.normal(0, 0.35, 2) * breathing[:, None] + hand - hand.mean(axis=0)
    # in systole the heart moves a little towards the chest wall
    shift += np.array([0.0, -0.5]) * beat.squeeze[:, None]
    shift += np.array(plane.origin) + controls.shift
    shift += artefacts.drift(frames, fps)

    def place(curve: Curve) -> Curve:
        placed: Curve = curve @ turned + shift[:, None]
        return placed

    return place


def _finer(curve: Curve) -> Curve:
    """Convert (beam, sample) to (beam, half sample)."""
    finer: Curve = curve * np.array([1.0, 2.0]) + np.array([0.0, 0.5])
    return finer


def _flicker(frames: int, sd: float, rng: np.random.Generator) -> Float32[np.ndarray, " T"]:
    """Draw a slow change of brightness, in grey levels."""
    white = rng.standard_normal(frames + 24)
    kernel = np.hanning(25) / np.sqrt((np.hanning(25) ** 2).sum())
    return (sd * np.convolve(white, kernel, mode="valid")).astype(np.float32)
