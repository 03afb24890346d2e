"""The paper preset's augmentations, measured on what comes out of them (section 2.2)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from echokit import Clip
from echokit.components.slots import make_sequence_spec, make_transforms
from echokit.recipe import load_recipe
from echokit.testing import tiny_clip

AUGMENTATIONS = ("sharpness", "brightness", "gamma", "noise", "background", "affine")
ALWAYS = [f"augment.{name}.probability=1" for name in AUGMENTATIONS]
LEVEL = 1e-4
"""Below this probability a figure is called another than the paper's."""


def paper(*settings: str):
    return load_recipe("ph-newborn", preset="paper", settings=settings)


@pytest.fixture(scope="module")
def always():
    """Each augmentation of the recipe, acting on every sequence."""
    slots = paper(*ALWAYS).augment
    assert tuple(slots) == AUGMENTATIONS
    return dict(zip(slots, make_transforms(slots.values()), strict=True))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def flat(level: float, shape=(1, 24, 24), **fields) -> Clip:
    return Clip(np.full(shape, level, np.float32), **fields)


def is_uniform(values, low, high) -> bool:
    return stats.kstest(values, "uniform", args=(low, high - low)).pvalue > LEVEL


def halves(values, middle=1.0):
    """Values below and above the middle, which are as many but for chance."""
    values = np.asarray(values)
    below, above = values[values < middle], values[values >= middle]
    assert stats.binomtest(len(below), len(values), 0.5).pvalue > LEVEL
    return below, above


@pytest.mark.parametrize("settings", [ALWAYS, []], ids=["each acts", "each acts on half"])
def test_nine_samples_in_ten_are_augmented(settings):
    """Of 3000; 88.6 % would be, if the one in 64 that meets no augmentation were left so."""
    recipe = paper(*settings)
    training, voting = (make_sequence_spec(recipe, training) for training in (True, False))
    clip = tiny_clip(recipe.sequences.k, 12, 16)
    plain = voting(clip, generator())
    seen = [training(clip, generator(seed)) for seed in range(3000)]
    assert {one.shape for one in seen} == {(1, 12, 12, 16)}
    changed = sum(not torch.equal(one, plain) for one in seen)
    assert stats.binomtest(changed, 3000, 0.9).pvalue > 0.05
    assert stats.binomtest(changed, 3000, 0.9 * (1 - 0.5**6)).pvalue < 0.05


def test_voting_sequences_are_only_scaled_and_normalised():
    clip = tiny_clip(12, 24, 32)
    seen = make_sequence_spec(paper(), training=False)(clip, generator())
    np.testing.assert_allclose(seen[0].numpy(), (clip.frames / 255 - 0.3) / 0.3, atol=1e-6)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_one_parameter_set_serves_all_frames_and_only_noise_differs_by_frame(always, name):
    sector = tiny_clip(1, 24, 32).sector
    one = np.random.default_rng(0).random((1, 24, 32), np.float32)
    clip = Clip(np.repeat(one, 5, axis=0), sector=sector)
    for seed in range(6):
        out = always[name](clip, generator(seed)).frames
        assert not np.array_equal(out, clip.frames)
        alike = [np.allclose(frame, out[0], atol=1e-6) for frame in out[1:]]
        assert not any(alike) if name in ("noise", "background") else all(alike)


def test_brightness_is_a_factor_of_one_half_to_six_fifths(always):
    rng = generator()
    out = [always["brightness"](flat(0.5), rng).frames for _ in range(300)]
    assert all(np.ptp(frames) < 1e-6 for frames in out)
    assert is_uniform([frames[0, 0, 0] / 0.5 for frames in out], 0.5, 1.2)


def test_gamma_is_an_exponent_of_a_quarter_to_two(always):
    rng = generator()
    out = [always["gamma"](flat(0.5), rng).frames[0, 0, 0] for _ in range(300)]
    assert is_uniform(np.log(out) / np.log(0.5), 0.25, 2)


def test_sharpness_blends_a_frame_with_its_blurred_self_by_none_to_eight(always):
    """Of an impulse the blur keeps 5 of 13 parts, so its height tells the factor."""
    rng, clip = generator(), flat(0.4)
    clip.frames[0, 12, 12] += 0.05
    heights = [always["sharpness"](clip, rng).frames[0, 12, 12] - 0.4 for _ in range(300)]
    soft, sharp = halves((np.array(heights) / 0.05 - 5 / 13) * 13 / 8)
    assert is_uniform(soft, 0, 1)
    assert is_uniform(sharp, 1, 8)


def test_noise_is_salt_and_pepper_of_half_a_percent_each_or_gaussian_of_five_grey_levels(always):
    rng, gaussian, salted = generator(), [], []
    for _ in range(60):
        out = always["noise"](flat(0.5, (12, 40, 40)), rng).frames
        (salted if set(np.unique(out)) <= {0, 0.5, 1} else gaussian).append(out)
    assert stats.binomtest(len(salted), 60, 0.5).pvalue > LEVEL
    for level in (0, 1):
        shares = [(out == level).mean() for out in salted]
        assert shares == pytest.approx([0.005] * len(salted), rel=0.05)
    voxels = np.concatenate([out.ravel() for out in gaussian]) - 0.5
    assert voxels.std() == pytest.approx(5 / 255, rel=0.01)
    assert abs(voxels.mean()) < 4 * voxels.std() / np.sqrt(voxels.size)


def test_background_is_speckle_of_three_tenths_and_varying_amount_outside_the_sector(always):
    rng, sector, amounts = generator(), tiny_clip(1, 40, 48).sector, []
    for _ in range(200):
        out = always["background"](flat(0.5, (4, 40, 48), sector=sector), rng).frames
        assert (out[:, sector] == 0.5).all()
        outside = out[:, ~sector]
        assert outside.std() / outside.mean() == pytest.approx(0.3, rel=0.1)
        amounts.append(outside.mean() / 0.3)
    assert is_uniform(amounts, 0, 1)


def test_motion_is_rotation_translation_and_scale_within_the_papers_bounds(always):
    """Two points, one in each frame, are followed; the picture's sides differ."""
    height, width, radius = 64, 96, 14.0
    row, column = np.mgrid[:height, :width]
    middle = np.array([(height - 1) / 2, (width - 1) / 2])
    points = middle + np.array([[0, -radius], [0, radius]])
    frames = [np.exp(-((row - r) ** 2 + (column - c) ** 2) / 18) for r, c in points]
    clip, rng, drawn = Clip(np.stack(frames).astype(np.float32)), generator(), []
    for _ in range(300):
        left, right = (
            np.array([(frame * row).sum(), (frame * column).sum()]) / frame.sum()
            for frame in always["affine"](clip, rng).frames
        )
        (rise, run), (down, across) = right - left, (left + right) / 2 - middle
        angle, scale = np.degrees(np.arctan2(-rise, run)), np.hypot(rise, run) / (2 * radius)
        drawn.append((angle, down / height, across / width, scale))
    angles, downs, acrosses, scales = np.array(drawn).T
    assert is_uniform(angles, -15, 15)
    assert abs(angles).max() < 15.1
    for shifts in (downs, acrosses):
        assert is_uniform(shifts, -0.1, 0.1)
        assert abs(shifts).max() < 0.101
    shrunk, grown = halves(scales)
    assert is_uniform(shrunk, 0.8, 1)
    assert is_uniform(grown, 1, 1.2)
