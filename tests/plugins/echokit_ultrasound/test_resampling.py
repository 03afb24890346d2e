"""A common frame rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echokit import Clip, OptionError
from echokit_ultrasound import frame_rate


def clip(count, fps, structures=False):
    frames = np.zeros((count, 4, 4), np.uint8) + np.arange(count, dtype=np.uint8)[:, None, None]
    labels = frames // 2 if structures else None
    names = ("LV",) if structures else ()
    return Clip(frames=frames, fps=fps, structures=labels, structure_names=names)


@given(st.integers(2, 200), st.floats(26, 120))
def test_each_kept_frame_is_the_nearest_in_time(count, fps):
    found = frame_rate(fps=25)(clip(count, fps), None)
    kept = found.frames[:, 0, 0].astype(float)
    times = np.arange(len(kept)) / 25
    assert np.all(np.abs(kept / fps - times) <= 0.5 / fps + 1e-9)
    assert (len(kept) - 1) / 25 <= count / fps
    assert len(kept) + 1 > count * 25 / fps
    assert found.fps == 25


@pytest.mark.parametrize("fps", [20.0, 25.0, None])
def test_a_clip_that_is_no_faster_stays_as_it_is(fps):
    given_clip = clip(9, fps)
    assert frame_rate(fps=25)(given_clip, None) is given_clip


def test_structures_stay_with_their_frames():
    found = frame_rate(fps=25)(clip(9, 50.0, structures=True), None)
    assert np.array_equal(found.structures, found.frames // 2)


@pytest.mark.parametrize("fps", [0, -3, float("nan"), 2000])
def test_an_impossible_rate_is_refused(fps):
    with pytest.raises(OptionError, match="fps"):
        frame_rate(fps=fps)
