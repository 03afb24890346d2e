"""The picture of a machine, measured in its pixels."""

import time
from dataclasses import replace

import numpy as np
import pytest

from echokit import resolve
from echokit_phantom import render as rendering
from echokit_phantom.imaging import despeckled
from echokit_phantom.machine import MACHINES
from echokit_phantom.painting import Layer, paint
from echokit_phantom.render import render, stage

PLAIN = replace(
    MACHINES["compact"],
    **{"smoothing": 0.0, "persistence": 0.0, "gain_error": 0.0, "s_curve": 0.0, "gamma": 1.0},
    **{"reverberation": 0.0, "shadow": 0.0, "drift": 0.0, "trace": 0.0, "foreshortening": 0.0},
)


def clips(monkeypatch, machine, view="PSAX-P", size=128, patients=3, frames=6):
    """Clips of the first patients, all examined with one machine."""
    monkeypatch.setattr(rendering, "machine_of", lambda *_: machine)
    loader = resolve(
        "loader", "phantom", patients=patients, views=[view], size=size, frames=frames,
        frames_sd=0, files=0, machine="compact",
    )  # fmt: skip
    return [render(loader.settings, patient, view)[0] for patient in loader.patients]


def region(clip, name):
    return clip.structures == clip.structure_names.index(name) + 1


def likeness(clip, lag, axis):
    """Correlation of the septum's pixels with those `lag` further, down or to the right."""
    first = np.moveaxis(clip.frames.astype(float), axis, 1)
    inside = np.moveaxis(region(clip, "septum"), axis, 1)
    both = inside[:, lag:] & inside[:, :-lag]
    return np.corrcoef(first[:, lag:][both], first[:, :-lag][both])[0, 1]


def test_speckle_is_finer_at_a_higher_frequency(monkeypatch):
    """Along the beam (which is downwards at the septum) and across it."""
    for axis, lag in ((1, 2), (2, 3)):
        near = [
            np.mean([likeness(clip, lag, axis) for clip in clips(
                monkeypatch, replace(PLAIN, frequency=frequency), size=224, frames=3)])
            for frequency in (3.5, 6.0, 11.0)
        ]  # fmt: skip
        assert near[0] > near[1] + 0.05 > near[2] + 0.05, axis


def test_speckle_widens_with_depth(monkeypatch):
    """Correlation across the beam of the tissue around the heart, in the deepest third of the
    sector and in the middle one."""
    deep, middle = [], []
    for clip in clips(monkeypatch, replace(PLAIN, frequency=9.0), size=224, frames=3):
        outside = clip.frames.any(axis=0) & ~clip.structures.any(axis=0)
        rows = np.arange(224)
        for values, low, high in ((middle, 60, 110), (deep, 130, 180)):
            band = outside & ((rows >= low) & (rows < high))[:, None]
            both = band[:, 3:] & band[:, :-3]
            first, second = clip.frames[:, :, 3:][:, both], clip.frames[:, :, :-3][:, both]
            values.append(np.corrcoef(first.ravel(), second.ravel())[0, 1])
    assert np.mean(deep) > np.mean(middle) + 0.05


def test_a_wide_dynamic_range_shows_more_greys(monkeypatch):
    narrow, wide = (
        clips(monkeypatch, replace(PLAIN, dynamic_range=decibels)) for decibels in (42.0, 70.0)
    )
    for first, second in zip(narrow, wide, strict=True):
        ends = [
            np.isin(clip.frames[:, clip.frames.any(axis=0)], (1, 255)).mean()
            for clip in (first, second)
        ]
        assert ends[0] > ends[1] + 0.03
        grey = [clip.frames[:, clip.frames.any(axis=0)].std() for clip in (first, second)]
        assert grey[0] > grey[1] + 5


def test_harmonics_clear_the_blood(monkeypatch):
    """Contrast of muscle over blood with haze over the picture."""
    for machine in (replace(PLAIN, clutter=0.03, dynamic_range=66.0),):
        plain, harmonic = (
            clips(monkeypatch, replace(machine, harmonic=on)) for on in (False, True)
        )
        for first, second in zip(plain, harmonic, strict=True):
            contrast = [
                clip.frames[region(clip, "septum")].mean() - clip.frames[region(clip, "LV")].mean()
                for clip in (first, second)
            ]
            assert contrast[1] > contrast[0] + 4


def test_persistence_makes_neighbouring_frames_alike(monkeypatch):
    without, much = (clips(monkeypatch, replace(PLAIN, persistence=share)) for share in (0.0, 0.5))
    for first, second in zip(without, much, strict=True):
        steps = [
            np.abs(np.diff(clip.frames.astype(int), axis=0)).mean() for clip in (first, second)
        ]
        assert steps[1] < 0.75 * steps[0]


def test_speckle_reduction_smooths_tissue_and_keeps_borders():
    rng = np.random.default_rng(0)
    speckle = 10 * np.log10(rng.exponential(size=(1, 60, 60))).astype(np.float32)
    step = np.where(np.arange(60) < 30, np.float32(0), np.float32(40))
    smooth = despeckled(speckle + step, 0.8)
    assert smooth[:, :, :25].std() < 0.75 * speckle.std()
    across = smooth.mean(axis=1)[0]
    assert across[31] - across[28] > 30
    assert despeckled(speckle, 0) is speckle


@pytest.mark.parametrize("machine", ["neonatal", "random"])
def test_it_renders_at_speed(machine):
    """At 96 px a core gives 370 frames a second; a third of that is left for a busy machine."""
    loader = resolve(
        "loader", "phantom", patients=3, views=["PSAX-P"], size=96, frames=60, files=0,
        machine=machine,
    )  # fmt: skip
    refs = list(loader.index())
    loader.read(refs[0])
    started = time.thread_time()
    frames = sum(len(loader.read(ref).frames) for ref in refs)
    assert frames / (time.thread_time() - started) > 120


@pytest.mark.parametrize("machine", [PLAIN, MACHINES["portable"]])
@pytest.mark.parametrize(
    ("view", "course"),
    [("PLAX", "inlet"), ("A4C", "inlet"), ("PSAX-S", "inlet"), ("PSAX-S", "outlet")],
)
def test_valves_are_seen_to_open_and_close(monkeypatch, view, course, machine):
    """Where leaflets lie when closed, blood is seen when they are open, and the other way round."""
    monkeypatch.setattr(rendering, "machine_of", lambda *_: machine)
    loader = resolve(
        "loader", "phantom", patients=3, views=[view], size=160, frames=40, frames_sd=0, files=0,
        machine="compact",
    )  # fmt: skip
    changes = []
    for patient in loader.patients:
        scene, _ = stage(loader.settings, patient, view)
        clip, _ = render(loader.settings, patient, view)
        opening = getattr(scene.beat, course)[2:]  # not while frames are still averaged
        shut, wide = int(opening.argmin()) + 2, int(opening.argmax()) + 2
        leaflets = [
            Layer(1, scene.sector.to_pixels(shape.outline))
            for shape in scene.shapes
            if shape.material == "leaflet"
        ]
        lies = paint(leaflets, slice(None), 160, 160) > 0
        chambers = ("LV", "RV", "LA", "RA", "aorta", "pulmonary artery")
        blood = np.isin(
            clip.structures,
            [clip.structure_names.index(name) + 1 for name in clip.structure_names
             if name in chambers],
        )  # fmt: skip
        inside = blood[shut] & blood[wide] & clip.frames.all(axis=0)
        grey = clip.frames.astype(float)
        for here, there in ((shut, wide), (wide, shut)):
            left = lies[here] & ~lies[there] & inside
            changes.append((grey[here] - grey[there])[left].mean())
    assert np.mean(changes) > 25
    assert np.min(changes) > 8
