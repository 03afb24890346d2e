"""Resizing, equalising and normalising, against OpenCV, torch and plain arithmetic."""

from __future__ import annotations

import subprocess
import sys

import cv2
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.transforms import NormalizeIntensity

from echokit import Box, Clip, ClipError, OptionError, resolve

RNG = torch.Generator()
FRAMES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40)))


def run(name, clip, **options):
    return resolve("transform", name, **options)(clip, RNG)


def speckle(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@settings(max_examples=100, deadline=None)
@given(FRAMES)
def test_equalise_is_opencvs_bit_for_bit(frames):
    given_frames = frames.copy()
    equal = run("monai-equalise", Clip(frames)).frames
    np.testing.assert_array_equal(equal, np.stack([cv2.equalizeHist(f) for f in frames]))
    np.testing.assert_array_equal(frames, given_frames)


@pytest.mark.parametrize("size", [(3, 480, 640), (2, 224, 224), (5, 7, 333)])
@pytest.mark.parametrize("shape", [0.5, 2.0, 8.0])
def test_equalise_is_opencvs_on_skewed_histograms(size, shape):
    rng = np.random.default_rng(0)
    frames = rng.gamma(shape, 12, size).clip(0, 255).astype(np.uint8)
    expected = np.stack([cv2.equalizeHist(f) for f in frames])
    np.testing.assert_array_equal(run("monai-equalise", Clip(frames)).frames, expected)


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_a_constant_frame_stays_as_opencv_leaves_it(level):
    frames = np.full((2, 9, 9), level, np.uint8)
    frames[1] = speckle((9, 9))
    equal = run("monai-equalise", Clip(frames)).frames
    np.testing.assert_array_equal(equal[0], cv2.equalizeHist(frames[0]))
    assert (equal[0] == level).all()


def test_within_the_sector_only_its_pixels_count():
    sector = np.zeros((40, 60), bool)
    sector[5:25, 10:50] = True
    frames = (20 + speckle((3, 40, 60)) // 4) * sector
    frames = frames.astype(np.uint8)
    equal = run("monai-equalise", Clip(frames, sector=sector), within="sector").frames
    for before, after in zip(frames, equal, strict=True):
        expected = cv2.equalizeHist(before[5:25, 10:50])
        np.testing.assert_array_equal(after[5:25, 10:50], expected)
    assert not equal[:, ~sector].any()
    assert equal.max() == 255
    assert (equal != run("monai-equalise", Clip(frames, sector=sector)).frames).any()


def test_equalise_refuses_what_it_cannot_do():
    with pytest.raises(ClipError, match="monai-sector before"):
        run("monai-equalise", Clip(speckle((2, 8, 8))), within="sector")
    with pytest.raises(ClipError, match="float32"):
        run("monai-equalise", Clip(np.zeros((2, 8, 8), np.float32)))
    with pytest.raises(OptionError, match="'frame' or 'sector'"):
        resolve("transform", "monai-equalise", within="tissue")


@pytest.mark.parametrize("shape", [(3, 480, 640), (2, 100, 90), (2, 224, 224), (2, 771, 300)])
def test_resize_is_bilinear_without_antialiasing(shape):
    frames = speckle(shape)
    small = run("monai-resize", Clip(frames), size=112).frames
    torchs = F.interpolate(
        torch.from_numpy(frames)[None].float(), (112, 112), mode="bilinear", align_corners=False
    )[0]
    apart = abs(small.astype(int) - torchs.round().int().numpy())
    assert apart.max() <= 1  # both round; one in a hundred thousand lies between two levels
    assert (apart > 0).mean() < 1e-4
    nearest = run("monai-resize", Clip(frames), size=112, mode="nearest").frames
    exact = F.interpolate(torch.from_numpy(frames)[None], (112, 112), mode="nearest-exact")[0]
    np.testing.assert_array_equal(nearest, exact.numpy())
    opencvs = np.stack([cv2.resize(f, (112, 112), interpolation=cv2.INTER_LINEAR) for f in frames])
    assert abs(small.astype(int) - opencvs).max() <= 1


def test_resize_takes_everything_along():
    frames = speckle((3, 90, 120))
    sector = np.zeros((90, 120), bool)
    sector[20:70, 30:110] = True
    structures = np.zeros((3, 90, 120), np.uint8)
    structures[:, 30:60, 40:80] = 7
    clip = Clip(
        frames, sector=sector, structures=structures, spacing=(0.3, 0.4), region=Box(9, 12, 72, 96)
    )
    small = run("monai-resize", clip, size=30)
    assert small.frames.shape == small.structures.shape == (3, 30, 30)
    assert small.frames.dtype == np.uint8
    nearest = cv2.resize(sector.astype(np.uint8), (30, 30), interpolation=cv2.INTER_NEAREST_EXACT)
    np.testing.assert_array_equal(small.sector, nearest.astype(bool))
    assert not small.frames[:, ~small.sector].any()
    assert set(np.unique(small.structures)) == {0, 7}
    assert (small.structures[0] > 0).sum() == 100  # 10 x 10: a third of each side, a ninth of 30x40
    assert small.spacing == pytest.approx((0.3 * 3, 0.4 * 4))
    assert small.region == Box(3, 3, 24, 24)
    assert small.box == Box(0, 0, 90, 120)


def test_cropping_after_resizing_still_names_the_source_rectangle():
    sector = np.zeros((100, 200), bool)
    sector[20:80, 40:160] = True
    small = run("monai-resize", Clip(speckle((2, 100, 200)), sector=sector), size=50)
    cropped = run("monai-sector", small)
    assert cropped.box == Box(20, 40, 60, 120)


def test_nearest_makes_up_no_grey_level():
    frames = speckle((2, 50, 70)) // 100 * 100
    small = run("monai-resize", Clip(frames), size=33, mode="nearest").frames
    assert set(np.unique(small)) <= {0, 100, 200}


@pytest.mark.parametrize(
    "options", [{"size": 0}, {"size": 2.5}, {"size": "big"}, {"mode": "cubic"}]
)
def test_resize_refuses_bad_options(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        resolve("transform", "monai-resize", **options)


def test_normalise_subtracts_and_divides():
    frames = speckle((4, 20, 30)).astype(np.float32) / 255
    given_frames = frames.copy()
    normal = run("monai-normalise", Clip(frames), mean=0.3, sd=0.2).frames
    assert normal.dtype == np.float32
    assert type(normal) is np.ndarray
    np.testing.assert_allclose(normal, (frames - 0.3) / 0.2, atol=1e-5)
    monais = NormalizeIntensity(subtrahend=0.3, divisor=0.2)(torch.from_numpy(frames))
    np.testing.assert_array_equal(normal, monais.numpy())
    np.testing.assert_array_equal(frames, given_frames)


def test_normalise_refuses_uint8_and_a_zero_sd():
    with pytest.raises(ClipError, match="uint8"):
        run("monai-normalise", Clip(speckle((2, 8, 8))), mean=0.3, sd=0.2)
    with pytest.raises(OptionError, match="sd=0"):
        resolve("transform", "monai-normalise", mean=0.3, sd=0)
    with pytest.raises(OptionError, match="mean"):
        resolve("transform", "monai-normalise", sd=0.2)


def test_the_plugin_module_imports_nothing_heavy():
    code = (
        "import sys, echokit_monai; "
        "print(sorted({'torch', 'monai', 'scipy'} & {m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_clips_are_prepared_and_normalised_where_there_is_no_torch():
    code = """
import sys
sys.modules |= dict.fromkeys(("torch", "monai", "torchvision"))  # importing them raises now
import numpy as np
from echokit import Clip, resolve
frames = np.random.default_rng(0).integers(0, 200, (6, 64, 64), dtype=np.uint8)
clip = Clip(frames)
for name, options in (("sector", {}), ("resize", {"size": 32}), ("equalise", {})):
    clip = resolve("transform", f"monai-{name}", **options)(clip, None)
clip = Clip(clip.frames.astype(np.float32) / 255)
print(resolve("transform", "monai-normalise", mean=0.3, sd=0.3)(clip, None).frames.shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "(6, 32, 32)\n", done.stderr
