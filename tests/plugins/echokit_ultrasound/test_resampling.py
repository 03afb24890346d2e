"""A common frame rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echokit import Clip, OptionError, SupportsSelection
from echokit.recipe import load_recipe
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


def ramp(count, fps, dtype=np.uint8):
    """A clip whose grey level is the time in hundredths of a second."""
    levels = (100 * np.arange(count) / fps).astype(dtype)
    return Clip(frames=np.zeros((count, 4, 4), dtype) + levels[:, None, None], fps=fps)


@given(st.integers(2, 40), st.floats(3, 24.7))
def test_a_slower_clip_is_resampled_where_that_is_asked(count, fps):
    found = frame_rate(fps=25, slower=True)(clip(count, fps), None)
    kept = found.frames[:, 0, 0].astype(float)
    times = np.arange(len(kept)) / 25
    assert np.all(np.abs(kept / fps - times) <= 0.5 / fps + 1e-9)
    assert times[-1] <= (count - 1) / fps + 1e-9 < times[-1] + 1 / 25 + 1e-6
    assert (found.fps, found.source_fps) == (25, fps)


@pytest.mark.parametrize("fps", [24.8, 25.0, 25.05])
def test_a_clip_of_nearly_the_rate_stays_as_it_is(fps):
    given_clip = clip(9, fps)
    assert frame_rate(fps=25, slower=True)(given_clip, None) is given_clip


@pytest.mark.parametrize("fps", [10.0, 40.0, 75.0])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_frames_between_two_others_are_blended(fps, dtype):
    found = frame_rate(fps=25, rate="linear", slower=True)(ramp(9, fps, dtype), None)
    wanted = 100 * np.arange(len(found.frames)) / 25
    assert np.abs(found.frames[:, 0, 0] - wanted).max() <= 1.01
    assert found.frames.dtype == dtype


def test_keep_leaves_every_clip_as_it_is():
    given_clip = replace(clip(4, 50.0), times=np.array([0, 0.1, 0.2, 0.9]))
    assert frame_rate(rate="keep", slower=True)(given_clip, None) is given_clip


def test_times_of_frames_are_used_and_not_averaged():
    """Four frames in a tenth of a second, then a gap of 0.4 s."""
    times = np.array([0.0, 0.04, 0.08, 0.12, 0.52, 0.56])
    given_clip = replace(clip(6, 5 / 0.56), times=times)
    found = frame_rate(fps=25)(given_clip, None)
    kept = found.frames[:, 0, 0]
    assert kept.tolist() == [0, 1, 2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 5]
    assert (found.times, found.fps, found.source_fps) == (None, 25, 5 / 0.56)
    linear = frame_rate(fps=25, rate="linear")(
        replace(given_clip, frames=10 * clip(6, 1).frames), None
    )
    assert linear.frames[:, 0, 0].tolist()[3:9] == [30, 31, 32, 33, 34, 35]


def test_a_rate_that_is_none_is_refused():
    with pytest.raises(OptionError, match="keep, nearest or linear"):
        frame_rate(rate="cubic")


def test_a_tenth_of_a_frame_a_second_is_another_rate():
    """The phantom's drawn machines have rates of one decimal: their figures stay."""
    assert frame_rate(fps=30)(clip(60, 30.1), None).fps == 30
    assert frame_rate(fps=25)(clip(60, 25.1), None).source_fps == 25.1


PRESETS = {
    "paper": (25, "nearest", True),
    "quick": (30, "nearest", False),
    "demo": (30, "nearest", False),
    "strong": (30, "nearest", False),
    "bench": (25, "keep", True),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_recipe_has_the_papers_rate_and_its_presets_that_of_their_figures(preset):
    """A change here changes figures that the project shows."""
    slot = load_recipe("ph-newborn", preset=preset).prepare["frame-rate"].options
    assert (slot["fps"], slot["rate"], slot["slower"]) == PRESETS[preset]


@given(st.integers(2, 90), st.sampled_from([10.0, 24.0, 25.0, 30.0, 50.0, 58.3]))
def test_a_long_clip_is_resampled_block_by_block_to_the_same_frames(count, fps):
    step, given_clip = frame_rate(fps=25, slower=True), clip(count, fps)
    few = replace(given_clip, frames=given_clip.frames[list(step.needed(count))])
    ready, whole = step.settle(few, count), step(given_clip, None)
    if isinstance(ready, SupportsSelection):
        made = ready(given_clip, None)
        made = replace(made, frames=made.frames[ready.selected])
    else:
        made = ready(given_clip, None)
    assert np.array_equal(made.frames, whole.frames)
    assert (made.fps, made.source_fps) == (whole.fps, whole.source_fps)


def test_a_long_clip_that_is_blended_or_uneven_is_read_whole():
    first = clip(1, 50.0)
    assert frame_rate(fps=25, rate="linear").settle(first, 9) is None
    uneven = replace(first, times=np.array([0.0]))
    assert frame_rate(fps=25).settle(uneven, 9) is None
    assert frame_rate(rate="keep").settle(uneven, 9)(uneven, None) is uneven
