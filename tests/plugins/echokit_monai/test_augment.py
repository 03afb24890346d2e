"""The augmentations: one draw for all frames, ranges seen from outside, an oracle for each."""

from __future__ import annotations

import pickle
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tvf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from echokit import Clip, ClipError, OptionError, resolve

NAMES = ("sharpness", "brightness", "gamma", "noise", "background", "affine")


def make(name, **options):
    return resolve("transform", f"monai-{name}", **{"probability": 1.0, **options})


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def smooth(n=3, height=64, width=64, seed=0):
    """Smooth frames in [0, 1], each different."""
    noise = np.random.default_rng(seed).random((n, height, width), dtype=np.float32)
    blurred = np.stack([cv2.GaussianBlur(f, (0, 0), 4) for f in noise])
    return (blurred - blurred.min()) / np.ptp(blurred)


def wedge(height=64, width=64):
    row, column = np.mgrid[:height, :width]
    return abs(column - width / 2) < 0.6 * row


def clip_of(frames, **fields):
    return Clip(np.asarray(frames, np.float32), **fields)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 5),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_shape_and_range_are_kept_and_the_input_is_not_touched(name, seed, n, height, width):
    frames = np.random.default_rng(seed).random((n, height, width), dtype=np.float32)
    frames.flags.writeable = False
    sector = wedge(height, width)
    before = frames.copy(), sector.copy()
    transform = make(name)
    clip = Clip(frames, sector=sector, fps=20.0)
    out = transform(clip, rng(seed))
    assert type(out.frames) is np.ndarray
    assert out.frames.dtype == np.float32
    assert out.frames.shape == frames.shape
    assert out.frames.min() >= 0.0
    assert out.frames.max() <= 1.0
    assert out.sector.shape == sector.shape
    assert out.sector.dtype == np.bool_
    assert out.fps == 20.0
    np.testing.assert_array_equal(frames, before[0])
    np.testing.assert_array_equal(sector, before[1])
    again = transform(clip, rng(seed))
    np.testing.assert_array_equal(out.frames, again.frames)


@pytest.mark.parametrize("name", NAMES)
def test_a_draw_can_be_kept_and_replayed(name):
    clip = clip_of(smooth(), sector=wedge())
    transform = make(name)
    drawn = transform.draw(rng(5))
    expected = transform(clip, rng(5)).frames
    np.testing.assert_array_equal(transform.apply(clip, drawn).frames, expected)
    assert pickle.loads(pickle.dumps(drawn)) == drawn
    copy = pickle.loads(pickle.dumps(transform))  # a worker process gets the transform so
    np.testing.assert_array_equal(copy(clip, rng(5)).frames, expected)
    assert transform.draw(rng(6)) != drawn


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_drawn_from_the_global_generator(name):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()  # noqa: NPY002 - the state we must not touch
    make(name)(clip_of(smooth(), sector=wedge()), rng())
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(numpy_before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("name", ["sharpness", "brightness", "gamma", "affine"])
def test_all_frames_share_one_draw(name):
    still = smooth(1)
    out = make(name)(clip_of(np.repeat(still, 4, axis=0), sector=wedge()), rng(1)).frames
    assert not np.array_equal(out[0], still[0])
    for frame in out[1:]:
        np.testing.assert_allclose(frame, out[0], atol=1e-6)
    # the number of frames has no part in it: the authors' code took the channel axis for height
    np.testing.assert_allclose(
        make(name)(clip_of(still, sector=wedge()), rng(1)).frames[0], out[0], atol=1e-6
    )


@pytest.mark.parametrize("name", ["noise", "background"])
def test_noise_differs_by_frame(name):
    frames = np.full((4, 64, 64), 0.5, np.float32)
    for seed in range(4):
        out = make(name)(clip_of(frames, sector=wedge()), rng(seed)).frames
        assert not np.array_equal(out[0], out[1])
        assert not np.array_equal(out[2], out[3])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("probability", [0.0, 0.3, 0.5, 1.0])
def test_probability_is_the_rate_of_acting(name, probability):
    transform, generator = make(name, probability=probability), rng(1)
    clip = clip_of(smooth(1, 16, 16), sector=wedge(16, 16))
    acted = sum(transform(clip, generator) is not clip for _ in range(300))
    assert stats.binomtest(acted, 300, probability).pvalue > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_the_default_probability_is_one_half(name):
    transform, generator = resolve("transform", f"monai-{name}"), rng(2)
    acted = sum(transform.draw(generator) is not None for _ in range(500))
    assert stats.binomtest(acted, 500, 0.5).pvalue > 1e-4


def _uniform(values, low, high):
    values = np.asarray(values)
    assert values.min() >= low - 1e-3
    assert values.max() <= high + 1e-3
    return stats.kstest(values, "uniform", args=(low, high - low)).pvalue > 1e-4


def test_brightness_and_gamma_are_uniform_over_their_ranges():
    generator = rng(0)
    flat = clip_of(np.full((1, 4, 4), 0.5))
    brightness, gamma = make("brightness"), make("gamma")
    factors = [brightness(flat, generator).frames[0, 0, 0] / 0.5 for _ in range(800)]
    assert _uniform(factors, 0.5, 1.2)
    gammas = [np.log(gamma(flat, generator).frames[0, 0, 0]) / np.log(0.5) for _ in range(800)]
    assert _uniform(gammas, 0.25, 2.0)


def test_sharpness_blurs_or_sharpens_with_equal_chance():
    transform, generator = make("sharpness"), rng(0)
    factors = np.array([transform.draw(generator).factor for _ in range(2000)])
    assert stats.binomtest(int((factors < 1).sum()), 2000, 0.5).pvalue > 1e-4
    assert _uniform(factors[factors < 1], 0.0, 1.0)
    assert _uniform(factors[factors >= 1], 1.0, 8.0)


def test_affine_parameters_are_uniform_over_their_ranges():
    transform, generator = make("affine"), rng(0)
    drawn = [transform.draw(generator) for _ in range(2000)]
    assert _uniform([d.rotation for d in drawn], -15, 15)
    assert _uniform([d.down for d in drawn], -0.1, 0.1)
    assert _uniform([d.right for d in drawn], -0.1, 0.1)
    scales = np.array([d.scale for d in drawn])
    assert stats.binomtest(int((scales < 1).sum()), 2000, 0.5).pvalue > 1e-4
    assert _uniform(scales[scales < 1], 0.8, 1.0)
    assert _uniform(scales[scales >= 1], 1.0, 1.2)


def test_options_set_the_ranges():
    generator = rng(0)
    flat = clip_of(np.full((1, 4, 4), 0.5))
    assert make("brightness", factor=[0.8, 0.8])(flat, generator).frames[0, 0, 0] == (
        pytest.approx(0.4)
    )
    still = make("affine", rotation=0, translation=0, scale=[1, 1], zoom=[1, 1])
    frames = smooth()
    np.testing.assert_allclose(still(clip_of(frames), generator).frames, frames, atol=1e-6)


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 3.0, 8.0])
def test_sharpness_is_torchvisions(factor):
    frames = np.random.default_rng(0).random((3, 33, 47), dtype=np.float32)
    transform = make("sharpness")
    drawn = replace(transform.draw(rng()), factor=factor)
    expected = tvf.adjust_sharpness(torch.from_numpy(frames)[:, None], factor)[:, 0].numpy()
    np.testing.assert_allclose(transform.apply(clip_of(frames), drawn).frames, expected, atol=2e-6)


@pytest.mark.parametrize("gamma", [0.25, 1.0, 2.0])
def test_gamma_is_torchvisions(gamma):
    frames = np.random.default_rng(0).random((3, 33, 47), dtype=np.float32) * 0.5 + 0.2
    transform = make("gamma", gamma=[gamma, gamma])
    expected = tvf.adjust_gamma(torch.from_numpy(frames)[:, None], gamma)[:, 0].numpy()
    np.testing.assert_allclose(transform(clip_of(frames), rng()).frames, expected, atol=1e-6)


@pytest.mark.parametrize("factor", [0.5, 1.2])
def test_brightness_is_torchvisions(factor):
    frames = np.random.default_rng(0).random((3, 33, 47), dtype=np.float32)
    transform = make("brightness", factor=[factor, factor])
    expected = tvf.adjust_brightness(torch.from_numpy(frames)[:, None], factor)[:, 0].numpy()
    np.testing.assert_allclose(transform(clip_of(frames), rng()).frames, expected, atol=1e-6)


def test_salt_and_pepper_and_gaussian_noise_are_equally_likely_and_as_strong_as_said():
    frames, transform, generator = np.full((12, 96, 96), 0.5, np.float32), make("noise"), rng(0)
    shares, spreads, both = [], [], 0
    for _ in range(200):
        out = transform(clip_of(frames), generator).frames
        levels = np.unique(out)
        if len(levels) <= 3:
            both += 1
            shares.append(((out == 1).mean(), (out == 0).mean()))
        else:
            spreads.append((out.mean() - 0.5, out.std()))
    assert stats.binomtest(both, 200, 0.5).pvalue > 1e-4
    np.testing.assert_allclose(np.mean(shares, axis=0), [0.005, 0.005], rtol=0.02)
    np.testing.assert_allclose(np.mean(spreads, axis=0), [0, 5 / 255], atol=2e-4)


def test_background_fills_the_outside_and_only_that():
    sector, frames = wedge(96, 96), smooth(6, 96, 96)
    transform, generator = make("background"), rng(0)
    amounts = []
    for _ in range(300):
        out = transform(clip_of(frames, sector=sector), generator).frames
        np.testing.assert_array_equal(out[:, sector], frames[:, sector])
        outside = out[:, ~sector]
        amounts.append(outside.mean() / 0.3)
        assert outside.std() == pytest.approx(0.3 * outside.mean(), rel=0.05)
    assert _uniform(amounts, 0.0, 1.0)


def test_background_without_a_sector_does_nothing():
    clip = clip_of(smooth())
    np.testing.assert_array_equal(make("background")(clip, rng()).frames, clip.frames)


def _moved_by(transform, frames, **parameters):
    drawn = replace(transform.draw(rng()), **parameters)
    return transform.apply(clip_of(frames), drawn).frames


@pytest.mark.parametrize("shape", [(65, 65), (64, 64), (48, 90)])
@pytest.mark.parametrize("n", [1, 3, 12])
@pytest.mark.parametrize("rotation", [-15.0, 8.0, 15.0])
def test_rotation_is_about_the_image_centre(shape, n, rotation):
    """The authors' code turned clips about their top-left corner."""
    height, width = shape
    row, column = np.mgrid[:height, :width]
    blob = np.exp(-((row - (height - 1) / 2) ** 2 + (column - (width - 1) / 2) ** 2) / 8)
    out = _moved_by(
        make("affine"), np.repeat(blob[None], n, axis=0),
        rotation=rotation, down=0.0, right=0.0, scale=1.0,
    )  # fmt: skip
    for frame in out:
        total = frame.sum()
        assert (frame * row).sum() / total == pytest.approx((height - 1) / 2, abs=0.02)
        assert (frame * column).sum() / total == pytest.approx((width - 1) / 2, abs=0.02)


@pytest.mark.parametrize("rotation", [-15.0, 5.0, 15.0])
def test_rotation_is_torchvisions(rotation):
    frames = smooth(2, 64, 64)
    out = _moved_by(make("affine"), frames, rotation=rotation, down=0.0, right=0.0, scale=1.0)
    expected = tvf.rotate(
        torch.from_numpy(frames), rotation, interpolation=tvf.InterpolationMode.BILINEAR
    ).numpy()
    np.testing.assert_allclose(out[:, 12:-12, 12:-12], expected[:, 12:-12, 12:-12], atol=1e-4)


@pytest.mark.parametrize(
    ("rotation", "down", "right", "scale"),
    [(10.0, 0.05, -0.1, 0.8), (-15.0, -0.1, 0.1, 1.2), (0.0, 0.1, 0.0, 1.0), (7.0, 0.0, 0.0, 1.1)],
)
def test_affine_is_opencvs(rotation, down, right, scale):
    frames = smooth(2, 60, 100)
    out = _moved_by(make("affine"), frames, rotation=rotation, down=down, right=right, scale=scale)
    matrix = cv2.getRotationMatrix2D(((100 - 1) / 2, (60 - 1) / 2), rotation, scale)
    matrix[:, 2] += [right * 100, down * 60]
    for frame, before in zip(out, frames, strict=True):
        expected = cv2.warpAffine(before, matrix, (100, 60), flags=cv2.INTER_LINEAR)
        inner = cv2.warpAffine(np.ones_like(before), matrix, (100, 60)) > 0.99
        inner = cv2.erode(inner.astype(np.uint8), np.ones((5, 5))) > 0
        np.testing.assert_allclose(frame[inner], expected[inner], atol=5e-3)
        outer = cv2.dilate((expected > 0).astype(np.uint8), np.ones((5, 5))) == 0
        assert not frame[outer].any()


def test_sector_and_structures_move_with_the_frames():
    sector = wedge(80, 80)
    structures = np.zeros((3, 80, 80), np.uint8)
    structures[:, 30:60, 30:50] = 5
    frames = np.repeat(sector[None].astype(np.float32), 3, axis=0)
    transform = make("affine")
    for seed in range(5):
        clip = clip_of(frames, sector=sector, structures=structures, spacing=(0.4, 0.4))
        drawn = transform.draw(rng(seed))
        out = transform.apply(clip, drawn)
        agree = (out.frames[0] > 0.5) == out.sector
        assert agree.mean() > 0.995
        assert set(np.unique(out.structures)) == {0, 5}
        assert (out.structures > 0).sum() == pytest.approx(1800 * drawn.scale**2, rel=0.05)
        assert out.spacing == pytest.approx((0.4 / drawn.scale, 0.4 / drawn.scale))


@pytest.mark.parametrize("name", NAMES)
def test_uint8_frames_are_refused(name):
    with pytest.raises(ClipError, match="uint8"):
        make(name)(Clip(np.zeros((2, 8, 8), np.uint8), sector=wedge(8, 8)), rng())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sharpness", {"probability": 1.5}),
        ("sharpness", {"soften": [0, 2]}),
        ("brightness", {"factor": [1.2, 0.5]}),
        ("brightness", {"factor": 1.0}),
        ("gamma", {"gamma": [0, 1]}),
        ("gamma", {"gamma": ["a", "b"]}),
        ("noise", {"sd": -1}),
        ("background", {"amount": [0.5]}),
        ("affine", {"rotation": "much"}),
        ("affine", {"zoom": [0.5, 1]}),
        ("affine", {"angle": 3}),
    ],
)
def test_bad_options_are_refused_by_name(name, options):
    with pytest.raises(OptionError, match=next(iter(options))):
        make(name, **options)
