"""Attenuation, shadow, haze and speckle: by their definitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from echokit import ClipError, OptionError, resolve
from echokit.testing import check_transform, tiny_clip

NAMES = ("ultrasound-attenuation", "ultrasound-shadow", "ultrasound-haze", "ultrasound-speckle")


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


def speckled(clip, seed=0, **options):
    made = resolve("transform", NAMES[3], probability=1.0, **options)
    return made(clip, rng(seed)).frames


def wide(value: float, side: int = 256, frames: int = 2):
    """A clip large enough for statistics, all of it sector."""
    pixels = np.full((frames, side, side), value, np.float32)
    return replace(grey(), frames=pixels, sector=np.ones((side, side), bool), structures=None)


def test_speckle_is_rayleigh_distributed_of_unit_mean():
    """Told by scipy's own distribution, at places too far apart to be correlated."""
    from scipy.stats import kstest, rayleigh

    from echokit_ultrasound.grains import amplitudes

    pattern = amplitudes((8, 256, 256), 1.5, rng(1))
    assert pattern.mean() == pytest.approx(1, abs=0.01)
    apart = pattern[:, ::16, ::16].ravel()
    assert kstest(apart, rayleigh(scale=np.sqrt(2 / np.pi)).cdf).pvalue > 0.01
    assert pattern.std() / pattern.mean() == pytest.approx(1 / 1.91, abs=0.01)


@pytest.mark.parametrize("grain", [1.0, 2.0, 4.0])
def test_a_grain_of_speckle_is_as_large_as_told(grain):
    from echokit_ultrasound.grains import amplitudes

    power = amplitudes((16, 256, 256), grain, rng(2)) ** 2
    power -= power.mean()
    for axis in (1, 2):
        for distance in (1, 2, 4):
            correlation = (power * np.roll(power, distance, axis)).mean() / power.var()
            assert correlation == pytest.approx(np.exp(-((distance / grain) ** 2) / 2), abs=0.03)


def test_speckle_keeps_the_mean_and_multiplies_what_is_there():
    bright, dim = (speckled(wide(value), seed=3) for value in (0.2, 0.1))
    assert bright.mean() == pytest.approx(0.2, rel=0.01)
    assert bright.std() > 0.01
    np.testing.assert_allclose(bright, 2 * dim, rtol=1e-5)
    spread = [speckled(wide(0.2), seed, strength=1.0).std() / 0.2 for seed in range(20)]
    assert max(spread) < 1 / 1.91
    assert max(spread) > 0.4


def test_speckle_stays_within_the_sector_and_stands_still_unless_told_to_flicker():
    clip = grey()
    still, flickering = (speckled(clip, 5, per_frame=per_frame) for per_frame in (False, True))
    for frames in (still, flickering):
        assert frames.dtype == np.float32
        assert 0 <= frames.min() <= frames.max() <= 1
        assert np.array_equal(frames[:, ~clip.sector], clip.frames[:, ~clip.sector])
    assert np.array_equal(still, np.broadcast_to(still[:1], still.shape))
    assert not np.array_equal(flickering[0], flickering[1])
    check_transform(
        lambda: resolve("transform", NAMES[3], probability=1.0, per_frame=True),
        "augment",
        per_frame=True,
    )


def test_a_speckled_clip_of_unknown_sector_and_the_range_of_a_grain():
    clip = replace(wide(0.2), sector=None)
    assert speckled(clip).std() > 0
    with pytest.raises(OptionError, match=r"grain=0\.1: give a number from 0\.5 to 100"):
        resolve("transform", NAMES[3], grain=0.1)


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
