"""What spoils the picture of a machine: where it shows and how often."""

from dataclasses import replace

import numpy as np
import pytest

from echokit import resolve
from echokit_phantom.artefacts import (
    Artefacts,
    Shadow,
    artefact_rng,
    clutter_power,
    draw_artefacts,
    facing,
    shadow_gain,
)
from echokit_phantom.curves import Shape, ellipse
from echokit_phantom.machine import MACHINES
from echokit_phantom.render import stage
from echokit_phantom.sector import Sector

SECTOR = Sector(size=128, depth=46.0, half_angle=0.65)


def test_a_shadow_darkens_the_beams_behind_it():
    shadow = Shadow(centre=0.5, width=0.2, start=10.0, loss=20.0, sway=0.0)
    gain = shadow_gain(SECTOR, Artefacts(shadows=(shadow,)), np.zeros(2))
    radius = np.linspace(SECTOR.near, SECTOR.depth, SECTOR.samples)
    across = np.linspace(-1, 1, SECTOR.beams)
    behind = gain[0][radius > 13][:, np.abs(across - 0.5) < 0.05]
    assert behind.max() < 0.12  # 20 dB are a tenth of the amplitude
    assert gain[0][radius < 7].min() > 0.9
    assert gain[0][:, np.abs(across - 0.5) > 0.4].min() > 0.98
    assert shadow_gain(SECTOR, Artefacts(), np.zeros(2)) is None


def test_a_shadow_moves_with_breathing():
    shadow = Shadow(centre=0.0, width=0.2, start=5.0, loss=20.0, sway=0.3)
    gain = shadow_gain(SECTOR, Artefacts(shadows=(shadow,)), np.array([-1.0, 1.0]))
    across = np.linspace(-1, 1, SECTOR.beams)
    darkest = across[gain[:, -1].argmin(axis=1)]
    assert darkest == pytest.approx([-0.3, 0.3], abs=0.1)


def test_reverberation_repeats_at_equal_distances():
    machine = replace(MACHINES["premium"], clutter=1e-4)
    rng = np.random.default_rng(3)
    spoilt = Artefacts(reverberation=0.5, spacing=7.0)
    power = clutter_power(SECTOR, machine, spoilt, rng).mean(axis=1)
    depth = np.linspace(SECTOR.near, SECTOR.depth, SECTOR.samples)
    rings = [SECTOR.near + 7.0 * order for order in (2, 3, 4)]
    for ring in rings:
        at, between = (np.abs(depth - place) < 0.5 for place in (ring, ring + 3.5))
        assert power[at].mean() > 20 * power[between].mean()
    echoes = [power[np.abs(depth - ring) < 0.5].mean() for ring in rings]
    assert echoes[0] > echoes[1] > echoes[2]


def test_clutter_lies_near_the_probe():
    power = clutter_power(
        SECTOR, MACHINES["older"], Artefacts(near_field=0.1), np.random.default_rng(0)
    )
    third = SECTOR.samples // 3
    assert power[:third].mean() > 10 * power[-third:].mean()


def test_walls_across_the_beam_face_it_and_walls_along_it_do_not():
    """A circle on the middle beam: its top and bottom face the probe, its sides do not."""
    circle = Shape("myocardium", ellipse((0.0, 28.0), (9.0, 9.0), 1), "myocardium")
    aligned = facing([circle], SECTOR)
    assert aligned.min() >= 0
    assert aligned.max() <= 1
    radius = np.linspace(SECTOR.near, SECTOR.depth, SECTOR.samples)
    angle = np.linspace(-SECTOR.half_angle, SECTOR.half_angle, SECTOR.beams)

    def at(x, z):
        row, column = np.abs(radius - np.hypot(x, z)).argmin(), np.abs(angle - np.arctan2(x, z))
        return aligned[row, column.argmin()]

    assert min(at(0, 19), at(0, 37)) > 0.85
    assert max(at(-9, 27), at(9, 27)) < 0.3


def test_artefacts_come_as_often_as_the_machine_has_them():
    machine = MACHINES["portable"]
    drawn = [draw_artefacts(machine, "A4C", artefact_rng(0, n, "A4C")) for n in range(600)]
    for field, share in (
        ("reverberation", machine.reverberation), ("breath", machine.drift),
        ("trace", machine.trace),
    ):  # fmt: skip
        assert np.mean([bool(getattr(one, field)) for one in drawn]) == pytest.approx(
            share, abs=0.07
        )
    shortened = np.array([one.shortening for one in drawn])
    assert (shortened[:, 0] == 1).all()
    assert (shortened[:, 1] < 1).mean() == pytest.approx(machine.foreshortening, abs=0.07)
    assert shortened.min() > 0.87
    short = [draw_artefacts(machine, "PSAX-P", artefact_rng(0, n, "PSAX-P")) for n in range(60)]
    assert {one.shortening for one in short} == {(1.0, 1.0)}


def test_breathing_moves_the_heart():
    artefacts = Artefacts(breath=2.0, breath_rate=60.0)
    moved = artefacts.drift(frames=51, fps=50.0)
    assert np.ptp(moved[:, 1]) == pytest.approx(4.0, abs=0.05)
    np.testing.assert_allclose(moved[0], moved[50], atol=1e-9)  # a breath a second
    assert not Artefacts().drift(frames=5, fps=25.0).any()


def test_the_trace_stays_inside_the_sector():
    loader = resolve(
        "loader", "phantom", patients=30, views=["PLAX"], size=64, frames=3, frames_sd=0, files=0,
        machine="older",
    )  # fmt: skip
    traced = {
        stage(loader.settings, patient, "PLAX")[0].artefacts.trace: patient
        for patient in loader.patients
    }
    for trace, patient in traced.items():
        clip = loader.read(patient.reference("PLAX"))
        inside = (clip.frames > 0).all(axis=0)
        assert not clip.frames[:, ~inside].any()
        lowest = np.flatnonzero(inside.any(axis=1))[-8:]
        assert (clip.frames[:, lowest] == 210).any() == trace
