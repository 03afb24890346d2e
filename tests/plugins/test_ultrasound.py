"""Attenuation, shadow and haze: by their definitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from echokit import ClipError, OptionError, resolve
from echokit.testing import check_transform, tiny_clip

NAMES = ("ultrasound-attenuation", "ultrasound-shadow", "ultrasound-haze")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grey(value: float = 0.5):
    """A clip of one brightness within its sector."""
    clip = tiny_clip(dtype="float32")
    frames = np.broadcast_to(np.float32(value) * clip.sector, clip.frames.shape)
    return replace(clip, frames=np.ascontiguousarray(frames, dtype=np.float32))


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_the_contract_where_it_surely_acts(name):
    check_transform(
        lambda: resolve("transform", name, probability=1.0), "augment", per_frame="haze" in name
    )


def test_attenuation_falls_exponentially_with_depth():
    clip = grey()
    for seed in range(20):
        changed = resolve("transform", NAMES[0], probability=1.0, most=2.0)(clip, rng(seed))
        rows = np.flatnonzero(clip.sector.any(axis=1))
        column = clip.sector.shape[1] // 2
        middle = changed.frames[0, rows, column]
        lit = middle > 0
        depths = ((rows - rows[0]) / (rows[-1] - rows[0]))[lit]
        slope, intercept = np.polyfit(depths, np.log(middle[lit] / 0.5), 1)
        assert -2.0 <= slope <= 0
        assert intercept == pytest.approx(0, abs=1e-4)


def test_a_shadow_is_darkest_at_a_place_within_the_sector():
    clip, places = grey(), set()
    for seed in range(20):
        frames = resolve("transform", NAMES[1], probability=1.0)(clip, rng(seed)).frames
        ratio = np.where(clip.sector, frames[0] / 0.5, 1)
        assert 0.2 - 1e-6 <= ratio.min() <= 0.8
        assert ratio.max() <= 1
        places.add(int(ratio.argmin()))
        assert np.array_equal(frames, np.broadcast_to(frames[:1], frames.shape))
    assert len(places) > 10


def test_haze_only_brightens_within_the_sector_and_flickers():
    clip = grey(0.2)
    frames = resolve("transform", NAMES[2], probability=1.0)(clip, rng(3)).frames
    assert np.array_equal(frames[:, ~clip.sector], clip.frames[:, ~clip.sector])
    assert frames[:, clip.sector].mean() > 0.2
    assert not np.array_equal(frames[0], frames[1])


@pytest.mark.parametrize("name", NAMES)
def test_it_acts_as_often_as_it_is_told(name):
    clip, change = grey(), resolve("transform", name, probability=0.3)
    acted = sum(change(clip, rng(seed)) is not clip for seed in range(400))
    assert 0.2 < acted / 400 < 0.4


@pytest.mark.parametrize("name", NAMES)
def test_numbers_out_of_range_and_whole_clips_are_refused(name):
    with pytest.raises(OptionError, match=r"probability=1\.5: give a number from 0 to 1"):
        resolve("transform", name, probability=1.5)
    with pytest.raises(ClipError, match=r"list it under \[augment\]"):
        resolve("transform", name, probability=1.0)(tiny_clip(), rng())
