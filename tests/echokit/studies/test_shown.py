"""The clips of a study as they are shown."""

from __future__ import annotations

import numpy as np
import pytest

import echokit
from echokit.studies.shown import _repeated


@pytest.fixture(scope="module")
def model():
    return echokit.load("demo")


def test_a_clip_is_shown_at_its_own_resolution_and_black_outside_its_sector(model):
    loader = echokit.resolve("loader", "phantom", source="", patients=4, size=96, frames=50, seed=3)
    clip = loader.read(next(iter(loader.index())))
    noisy = clip.frames.copy()
    noisy[:, :6, :6] = 255  # as a name that is burned in
    (shown,) = model.show(echokit.Clip(noisy, fps=clip.fps))
    assert shown.frames.shape[1] > 48
    assert shown.length == len(shown.frames)
    assert shown.frames[:, :6, :6].max() < 255
    assert shown.systole
    assert shown.diastole
    assert max(*shown.systole, *shown.diastole) < shown.length


def test_a_clip_without_a_sector_or_a_file_that_is_none_is_named_and_not_shown(model, tmp_path):
    (tmp_path / "a.txt").write_text("no clip")
    np.savez(tmp_path / "b.npz", frames=np.zeros((5, 40, 40), np.uint8))
    items = list(model.show(tmp_path))
    assert [type(item).__name__ for item in items] == ["Rejection", "Rejection"]
    assert all(item.reason for item in items)


@pytest.mark.parametrize(
    ("first", "frames"), [(None, ()), (0, (0, 10, 20)), (13, (3, 13, 23)), (9, (9, 19))]
)
def test_beats_are_repeated_over_the_whole_clip(first, frames):
    assert _repeated(first, 10.0, 25) == frames
