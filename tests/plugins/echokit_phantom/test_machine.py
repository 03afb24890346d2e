"""Machines: who is examined with which, and that the heart in front of them stays the same."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from echokit import VIEWS, OptionError, resolve
from echokit_phantom.machine import CHOICES, MACHINES, draw_machine, machine_of
from echokit_phantom.physiology import beat_at
from echokit_phantom.render import label_map, stage

SMALL = {"patients": 3, "clips": 15, "size": 48, "frames": 6, "frames_sd": 0, "files": 0}


def phantom(**options):
    return resolve("loader", "phantom", source="", **{**SMALL, **options})


@pytest.mark.parametrize("options", [{}, {"machine": "reference"}])
def test_the_reference_picture_is_that_of_the_first_versions(options):
    """Frames and ground truth stored before there were machines: figures must not change."""
    stored = np.load(Path(__file__).with_name("reference.npz"), allow_pickle=False)
    loader = phantom(size=32, frames=2, seed=7, **options)
    for view in VIEWS:
        clip = loader.read(loader.patients[1].reference(view))
        frames, structures = stored[view]
        # another processor may add in another order, which moves a grey level now and then
        assert np.abs(clip.frames.astype(int) - frames).max() <= 1, view
        assert (clip.frames == frames).mean() > 0.99, view
        np.testing.assert_array_equal(clip.structures, structures)


def test_a_patient_is_examined_with_one_machine_and_patients_with_several():
    loader = phantom(machine="random", frames=2)
    scenes = {
        patient.number: [stage(loader.settings, patient, view)[0] for view in VIEWS]
        for patient in loader.patients
    }
    assert all(len({scene.machine for scene in clips}) == 1 for clips in scenes.values())
    assert len({clips[0].machine for clips in scenes.values()}) == 3
    # the operator turns the knobs anew for every clip
    assert all(len({scene.controls.mean for scene in clips}) == 5 for clips in scenes.values())
    assert machine_of("random", 0, 1) == machine_of("random", 0, 1) != machine_of("random", 1, 1)


def test_random_machines_surround_the_named_ones():
    rng = np.random.default_rng(0)
    drawn = [asdict(draw_machine(rng)) for _ in range(4000)]
    for name, machine in MACHINES.items():
        for field, value in asdict(machine).items():
            values = np.array([one[field] for one in drawn])
            assert values.min() <= value <= values.max(), (name, field)
            if field != "harmonic":  # and none of them is drawn more often than chance would
                assert (values == value).mean() < 0.02, (name, field)


@pytest.mark.parametrize("machine", CHOICES[1:])
def test_a_clip_of_a_machine(machine):
    loader = phantom(machine=machine, views=["PSAX-P"], clips=3, size=64, frames=14)
    patient = loader.patients[0]
    clip = loader.read(patient.reference("PSAX-P"))
    again = phantom(machine=machine, views=["PSAX-P", "A4C"], clips=6, size=64, frames=14)
    np.testing.assert_array_equal(
        again.read(patient.reference("PSAX-P")).frames, clip.frames
    )  # whatever was read before
    assert clip.fps == machine_of(machine, 0, patient.number).fps
    inside = clip.frames.any(axis=0)
    assert 0.3 < inside.mean() < 0.8
    assert (clip.frames[:, inside] > 0).all()
    assert not clip.structures[:, ~inside].any()


@pytest.mark.parametrize("machine", CHOICES)
@pytest.mark.parametrize(
    ("view", "dark", "bright"), [("PSAX-P", "LV", "septum"), ("PLAX", "LV", "septum"),
                                 ("A4C", "LV", "septum"), ("PSAX-S", "LA", "RV wall"),
                                 ("PSAX-A", "LV", "septum")],
)  # fmt: skip
def test_the_ground_truth_matches_the_pixels(machine, view, dark, bright):
    loader = phantom(machine=machine, size=64, frames=2)
    for patient in loader.patients:
        clip = loader.read(patient.reference(view))
        grey = {
            name: clip.frames[clip.structures == clip.structure_names.index(name) + 1].mean()
            for name in (dark, bright)
        }
        assert grey[dark] < 0.7 * grey[bright], (machine, patient.number, grey)


def test_the_fingerprint_knows_the_machine():
    ref = next(iter(phantom().index()))
    marks = {phantom(machine=machine).fingerprint(ref) for machine in CHOICES}
    assert len(marks) == len(CHOICES)
    assert phantom().fingerprint(ref) == phantom(machine="reference").fingerprint(ref)


def test_an_unknown_machine_is_refused():
    with pytest.raises(OptionError, match=r"no machine 'sonar'\. Valid: reference, random, prem"):
        phantom(machine="sonar")


def test_every_machine_sees_the_same_heart(monkeypatch):
    """Shape of the left ventricle in the label map, at the same phases of the beat."""
    from echokit_phantom import render

    phases = np.array([0.0, 0.2, 0.4])
    monkeypatch.setattr(render, "draw_beat", lambda *_: beat_at(phases))
    seen = {}
    for machine in CHOICES:
        loader = phantom(machine=machine, size=448, frames=3, seed=6)  # two of three cut obliquely
        for patient in loader.patients:
            shown = replace(patient, severity=0.1 + 0.45 * (patient.number - 1))
            scene, _ = stage(loader.settings, shown, "PSAX-P")
            labels = label_map(scene, np.ones((448, 448), bool))
            seen.setdefault(machine, []).append(
                [_roundness(frame == scene.structures.index("LV") + 1) for frame in labels]
            )
    reference = np.array(seen.pop("reference"))
    assert np.ptp(reference) > 0.3  # the three hearts differ
    for machine, values in seen.items():
        np.testing.assert_allclose(values, reference, atol=0.02, err_msg=machine)


def _roundness(mask):
    """Ratio of the principal axes of a region."""
    return float(np.sqrt(np.divide(*np.linalg.eigvalsh(np.cov(np.argwhere(mask).T))[::-1])))
