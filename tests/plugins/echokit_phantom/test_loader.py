"""The synthetic cohort: who is in it, and what one clip is."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echokit import (
    VIEWS,
    ClipError,
    Loader,
    OptionError,
    SupportsFingerprint,
    SupportsWrite,
    resolve,
)
from echokit_phantom.cohort import class_counts
from echokit_phantom.physiology import EFFECTS, beat_at
from echokit_phantom.render import stage

SMALL = {"size": 64, "frames": 14, "frames_sd": 0, "files": 0}


def phantom(**options):
    return resolve("loader", "phantom", source="", **{**SMALL, **options})


@given(
    patients=st.integers(3, 400),
    shares=st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda s: sum(s) > 0.01),
)
def test_class_counts_are_exact(patients, shares):
    counts = class_counts(patients, shares)
    assert sum(counts) == patients
    assert min(counts) >= 1
    quota = np.array(shares) / sum(shares) * patients
    if min(quota) >= 1:
        assert np.abs(np.array(counts) - quota).max() < 1


def test_default_cohort_is_the_papers():
    loader = phantom()
    refs = list(loader.index())
    grades = [patient.grade for patient in loader.patients]
    assert len(refs) == 536
    assert len({ref.patient for ref in refs}) == 194
    assert [grades.count(0), grades.count(1), grades.count(2) + grades.count(3)] == [126, 31, 37]
    assert {ref.view for ref in refs} == set(VIEWS)
    assert len({ref.clip for ref in refs}) == 536
    assert all(ref.synthetic and ref.labels["grade"] in "0123" for ref in refs)


def test_every_patient_has_a_grade_over_all_clips():
    grades = {}
    for ref in phantom(patients=20).index():
        grades.setdefault(ref.patient, set()).add(ref.labels["grade"])
    assert len(grades) == 20
    assert all(len(values) == 1 for values in grades.values())


def test_every_view_of_every_patient():
    assert len(list(phantom(patients=4, clips=20).index())) == 20
    assert len(list(phantom(patients=4, views=["PSAX-P", "A4C"]).index())) == 8


def test_it_keeps_the_interfaces():
    loader = phantom(patients=3)
    assert isinstance(loader, Loader)
    assert isinstance(loader, SupportsFingerprint)
    assert isinstance(loader, SupportsWrite)


@pytest.mark.parametrize("view", VIEWS)
def test_a_clip(view):
    loader = phantom(patients=3, views=[view])
    ref = next(iter(loader.index()))
    clip = loader.read(ref)
    assert clip.frames.dtype == clip.structures.dtype == np.uint8
    assert clip.frames.shape == clip.structures.shape == (14, 64, 64)
    assert clip.sector is None
    assert clip.fps == 25
    assert 0.5 < clip.spacing[0] == clip.spacing[1] < 1.5
    inside = clip.frames.any(axis=0)
    assert 0.3 < inside.mean() < 0.8
    assert (clip.frames[:, inside] > 0).all()
    assert not clip.structures[:, ~inside].any()
    assert set(np.unique(clip.structures)) == set(range(len(clip.structure_names) + 1))
    # blood is darker than muscle
    cavity = clip.structure_names.index("LA" if view == "PSAX-S" else "LV") + 1
    wall = clip.structure_names.index("RV wall") + 1
    assert (
        clip.frames[clip.structures == cavity].mean()
        < 0.7 * clip.frames[clip.structures == wall].mean()
    )


def test_a_clip_depends_on_nothing_but_its_own_options():
    refs = list(phantom(patients=4, clips=20).index())
    forwards = phantom(patients=4, clips=20)
    first = {ref.clip: forwards.read(ref).frames for ref in refs[:3]}
    backwards = phantom(patients=4, clips=20)
    for ref in reversed(refs[:3]):
        np.testing.assert_array_equal(backwards.read(ref).frames, first[ref.clip])
    # the other views asked for make no difference
    alone = phantom(patients=4, views=[refs[0].view])
    np.testing.assert_array_equal(alone.read(refs[0]).frames, first[refs[0].clip])
    other = phantom(patients=4, clips=20, seed=1).read(refs[0])
    assert np.abs(other.frames.astype(int) - first[refs[0].clip]).mean() > 5


def test_the_fingerprint_changes_with_the_content():
    loader = phantom(patients=4, clips=20)
    first, second, *_ = loader.index()
    marks = {loader.fingerprint(first), loader.fingerprint(second)}
    for option in ({"seed": 1}, {"size": 65}, {"frames": 15}, {"fps": 30}, {"files": 1}):
        marks.add(phantom(patients=4, clips=20, **option).fingerprint(first))
    assert len(marks) == 7
    assert phantom(patients=4, clips=20).fingerprint(first) in marks
    assert phantom(patients=4, views=[first.view]).fingerprint(first) in marks


def test_each_patient_is_drawn_one_of_several_sizes():
    loader = phantom(patients=12, views=["PLAX", "A4C"], size=[32, 40, 48], frames=2)
    sides = {}
    for ref in loader.index():
        side = loader.read(ref).frames.shape[1]
        assert sides.setdefault(ref.patient, side) == side
        alone = phantom(patients=12, views=["PLAX", "A4C"], size=side, frames=2)
        assert alone.fingerprint(ref) == loader.fingerprint(ref)
        assert np.array_equal(alone.read(ref).frames, loader.read(ref).frames)
    assert set(sides.values()) == {32, 40, 48}


def test_an_unknown_clip_is_refused():
    loader = phantom(patients=3)
    ref = replace(next(iter(loader.index())), clip="P9999-A4C")
    for use in (loader.read, loader.fingerprint):
        with pytest.raises(ClipError, match="no clip 'P9999-A4C'"):
            use(ref)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"patients": 0}, "patients=0, which must be at least 1"),
        ({"clips": 3, "patients": 4}, "clips=3, which must be 4 to 20"),
        ({"clips": 21, "patients": 4}, "clips=21"),
        ({"views": ["PSAX"]}, "no view 'PSAX'. Valid: PLAX, A4C"),
        ({"views": []}, "at least one view"),
        ({"views": ["A4C", "A4C"]}, "only once"),
        ({"frames": 1}, "frames=1, which must be at least 2"),
        ({"frames_sd": -1}, "frames_sd=-1"),
        ({"size": 8}, "size=8, which"),
        ({"size": [64, 8]}, r"size=\(64, 8\), which must be 32 to 1024"),
        ({"size": []}, r"size=\(\), which"),
        ({"fps": 0}, "fps=0"),
        ({"prevalence": (1, 1)}, "three shares"),
        ({"prevalence": (0.5, -0.1, 0.6)}, "prevalence"),
        ({"seed": -1}, "seed=-1"),
        ({"files": -1}, "files=-1"),
    ],
)
def test_a_bad_option_is_refused(option, says):
    with pytest.raises(OptionError, match=says):
        phantom(**option)


@given(phase=st.floats(0, 0.999))
@settings(max_examples=50)
def test_valves_never_stand_open_together(phase):
    beat = beat_at(np.array([phase]))
    assert min(beat.inlet[0], beat.outlet[0]) < 0.2
    for value in (beat.squeeze, beat.pressure, beat.inlet, beat.outlet, beat.atria):
        assert -1e-9 <= value[0] <= 1 + 1e-9


def test_every_effect_of_severity_is_cited():
    from echokit_phantom import physiology

    assert {effect.source for effect in EFFECTS.values()} <= {
        line.split()[0] for line in physiology.__doc__.splitlines() if line.startswith("    ")
    }


def test_no_view_is_favoured_by_a_constant(monkeypatch):
    """Every view strays from the patient's severity by the same spread: anatomy alone differs."""
    from echokit_phantom import render
    from echokit_phantom.physiology import EXPRESSION_SD

    hearts, draw = [], render.draw_heart

    def kept(*given, **named):
        hearts.append(draw(*given, **named))
        return hearts[-1]

    monkeypatch.setattr(render, "draw_heart", kept)
    loader = phantom(patients=3, views=VIEWS, size=32, frames=2, frames_sd=0)
    mild, severe = EFFECTS["plax_bow"].mild, EFFECTS["plax_bow"].severe  # a row without spread
    for view in VIEWS:
        hearts.clear()
        for number in range(400):
            patient = replace(loader.patients[0], number=number, severity=0.755)
            stage(loader.settings, patient, view)
        bow = np.array([heart.plax_bow for heart in hearts])
        shown = 0.46 + (mild - bow) / (mild - severe) * (1.05 - 0.46)
        assert shown.mean() == pytest.approx(0.755, abs=0.015), view
        assert shown.std() == pytest.approx(EXPRESSION_SD, rel=0.12), view


def test_speckle_moves_with_the_tissue_and_blood_is_new_every_frame():
    """Correlation of patches between neighbouring frames, each followed where it has moved to."""
    loader = phantom(patients=4, views=["PSAX-P"], size=144, frames=12)
    followed, fixed, blood = [], [], []
    for patient in loader.patients:
        clip, _ = loader.make(patient.reference("PSAX-P"))
        scene, _ = stage(loader.settings, patient, "PSAX-P")
        inside = clip.frames.any(axis=0)
        for name, likenesses in (("septum", followed), ("RV", blood)):
            shape = next(s for s in scene.shapes if s.structure == name)
            label = scene.structures.index(name) + 1
            # the middle of the label in frame 0, carried along by the outline's own movement
            start = np.median(np.argwhere(clip.structures[0] == label), axis=0)[::-1]
            centre = scene.sector.to_pixels(shape.outline).mean(axis=1)
            path = start + centre - centre[0]
            for t in range(11):
                likenesses.append(_likeness(clip.frames, inside, t, path[t], path[t + 1]))
                if name == "septum":
                    fixed.append(_likeness(clip.frames, inside, t, path[t], path[t]))
    followed, fixed, blood = (np.nanmedian(values) for values in (followed, fixed, blood))
    assert followed > 0.5
    assert followed > fixed + 0.1
    assert abs(blood) < 0.3


def _likeness(frames, inside, t, start, end, half=4):
    def window(point):
        column, row = np.rint(point).astype(int)
        return slice(row - half, row + half + 1), slice(column - half, column + half + 1)

    first, second = window(start), window(end)
    if not (inside[first].all() and inside[second].all()):
        return np.nan
    if min(np.ptp(frames[t][first]), np.ptp(frames[t + 1][second])) == 0:  # blood at full black
        return np.nan
    return np.corrcoef(frames[t][first].ravel(), frames[t + 1][second].ravel())[0, 1]


def test_listing_is_instant():
    start = time.perf_counter()
    list(phantom().index())
    assert time.perf_counter() - start < 1
