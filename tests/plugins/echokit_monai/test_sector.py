"""The scanning sector: found in fans of many kinds among clutter, and refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pydicom.examples
import pytest
import torch
from pydicom.data import get_testdata_file
from pydicom.pixels import iter_pixels

from echokit import Box, Clip, ClipError, OptionError, resolve

RNG = torch.Generator()


def fan(shape, apex, first, last, near, far, flat=None, half_width=None):
    """A fan by its apex (row, column), edges in degrees from straight down, and radii."""
    row, column = np.mgrid[: shape[0], : shape[1]].astype(float)
    down, right = row - apex[0], column - apex[1]
    radius, angle = np.hypot(down, right), np.degrees(np.arctan2(right, down))
    inside = (radius >= near) & (radius <= far) & ((angle - first) % 360 <= (last - first) % 360)
    if flat is not None:
        inside &= row >= flat
    if half_width is not None:
        inside &= abs(right) <= half_width
    return inside


def rectangle(shape, top, bottom, left, right):
    inside = np.zeros(shape, bool)
    inside[top:bottom, left:right] = True
    return inside


SECTORS = {
    "phased": fan((480, 640), (30, 320), -42, 42, 8, 400),
    "off-centre": fan((480, 640), (40, 220), -38, 45, 10, 380),
    "steered": fan((480, 640), (60, 200), -20, 60, 10, 360),
    "virtual-convex": fan((480, 640), (-60, 320), -35, 35, 110, 480),
    "flat-top": fan((480, 640), (-50, 320), -35, 35, 0, 470, flat=25),
    "apex-down": fan((480, 640), (440, 320), 138, 222, 8, 400),
    "cut-at-the-sides": fan((480, 640), (30, 320), -60, 60, 8, 420, half_width=230),
    "large": fan((866, 1440), (60, 700), -44, 44, 20, 760),
    "linear-probe": rectangle((480, 640), 40, 420, 90, 500),
}


def tissue(sector, rng, n=10, dark=None):
    """Frames of flickering texture inside the sector, black outside."""
    height, width = sector.shape
    coarse = rng.gamma(2, 25, (height // 4 + 1, width // 4 + 1)).repeat(4, 0).repeat(4, 1)
    texture = coarse[:height, :width] * sector
    frames = np.empty((n, height, width), np.uint8)
    for t in range(n):
        beat = 1 + 0.3 * np.sin(t / 2 + np.arange(width) / 9)
        noisy = (texture * beat + rng.normal(0, 12, texture.shape)) * sector
        if dark is not None:
            noisy = np.where(dark, 0.02 * noisy, noisy)
        frames[t] = noisy.clip(0, 255)
    return frames


def clutter(shape, n, rng):
    """Text, a grey bar, ticks, a button bar and a running ECG trace: the overlay of a scanner."""
    height, width = shape
    overlay = np.zeros((n, height, width), np.uint8)
    overlay[:, 5:14, 5:90] = 200 * (rng.random((9, 85)) > 0.5)
    overlay[:, height // 4 : height // 4 + 60, -20:-10] = np.linspace(255, 40, 60)[:, None]
    overlay[:, height - 20 : height - 6, width // 8 : width // 2] = 90
    overlay[:, 10 : height - 10 : 25, -40:-34] = 255
    for t in range(n):
        column = np.arange(20, 20 + (width - 80) * (t + 1) // n)
        row = (height - 36 + 5 * np.sin(column / 7) - 14 * (column % 60 < 4)).astype(int)
        overlay[t, row, column] = overlay[t, row + 1, column] = 230
    return overlay


def cluttered(sector, seed=1, dark=None):
    rng = np.random.default_rng(seed)
    frames = tissue(sector, rng, dark=dark)
    return np.where(sector, frames, clutter(sector.shape, len(frames), rng))


def find(frames, **fields):
    """The sector the transform finds, in the source frame."""
    clip = resolve("transform", "monai-sector")(Clip(frames, **fields), RNG)
    whole = np.zeros(frames.shape[1:], bool)
    whole[clip.box.slices] = clip.sector
    return whole, clip


def overlap(first, second):
    return (first & second).sum() / (first | second).sum()


@pytest.mark.parametrize("name", SECTORS)
def test_a_fan_among_clutter_is_found_whole(name):
    truth = SECTORS[name]
    sector, _ = find(cluttered(truth))
    assert (truth & ~sector).sum() < 0.005 * truth.sum(), "tissue was cut off"
    assert overlap(sector, truth) > 0.98


@pytest.mark.parametrize("name", ["phased", "off-centre", "virtual-convex", "apex-down", "large"])
def test_dark_blood_at_the_border_stays_inside(name):
    truth = SECTORS[name]
    row, column = np.mgrid[: truth.shape[0], : truth.shape[1]]
    height, width = truth.shape
    dark = (column > 0.62 * width) & (row > 0.3 * height) & (row < 0.6 * height)
    dark |= (column < 0.36 * width) & (row > 0.62 * height)
    sector, _ = find(cluttered(truth, dark=dark))
    assert (truth & dark & ~sector).sum() < 0.15 * (truth & dark).sum()
    assert (truth & ~sector).sum() < 0.03 * truth.sum()
    assert overlap(sector, truth) > 0.97


def test_nothing_of_the_overlay_survives():
    truth = SECTORS["phased"]
    row, column = np.nonzero(truth)
    frames = cluttered(truth)
    # text touching the sector's bounding box from inside, in the corner that the fan leaves free
    frames[:, row.min() : row.min() + 12, column.min() : column.min() + 100 : 2] = 255
    frames[:, row.max() - 10 : row.max(), column.max() - 60 : column.max() : 2] = 255
    sector, clip = find(frames)
    outside = np.where(sector & ~truth, frames, 0)
    assert overlap(sector, truth) > 0.98
    assert (outside.max(axis=0) >= 200).sum() == 0
    assert not clip.frames[:, ~clip.sector].any()


def test_ticks_that_touch_the_edge_are_cut_out():
    truth = SECTORS["phased"]
    frames = cluttered(truth)
    ticks = np.zeros(truth.shape, bool)
    for distance in range(60, 400, 30):  # on the right edge itself, half in and half out
        row, column = int(30 + distance * np.cos(0.733)), int(320 + distance * np.sin(0.733))
        ticks[row - 1 : row + 2, column - 1 : column + 2] = True
    frames[:, ticks] = 255
    sector, _ = find(frames)
    assert not (sector & ticks).any()
    assert overlap(sector, truth) > 0.97


def test_a_full_frame_sector_is_the_frame():
    sector, clip = find(tissue(np.ones((112, 112), bool), np.random.default_rng(0)))
    assert sector.all()
    assert clip.box == Box(0, 0, 112, 112)


def test_the_search_stays_inside_the_tagged_region():
    left = fan((480, 960), (30, 240), -30, 30, 8, 400)
    right = fan((480, 960), (30, 720), -36, 36, 8, 400)
    frames = tissue(left | right, np.random.default_rng(0))
    region = Box(10, 2, 465, 470)
    sector, clip = find(frames, region=region)
    assert overlap(sector, left) > 0.98
    assert clip.region == Box(0, 0, *clip.frames.shape[1:]), "the region follows the crop"


def test_crop_takes_everything_along_and_composes_boxes():
    truth = SECTORS["off-centre"]
    frames = cluttered(truth)
    structures = np.broadcast_to(np.arange(640, dtype=np.uint8) // 3, frames.shape)
    before = frames.copy()
    clip = Clip(frames, structures=structures, box=Box(7, 11, 480, 640), spacing=(0.2, 0.3))
    cropped = resolve("transform", "monai-sector")(clip, RNG)
    top, left = cropped.box.top - 7, cropped.box.left - 11
    box = Box(top, left, *cropped.frames.shape[1:]).slices
    assert (cropped.box.height, cropped.box.width) == cropped.frames.shape[1:]
    np.testing.assert_array_equal(cropped.frames, frames[:, *box] * cropped.sector)
    np.testing.assert_array_equal(cropped.structures, structures[:, *box] * cropped.sector)
    assert cropped.spacing == (0.2, 0.3)
    assert cropped.sector.any(axis=0)[[0, -1]].all(), "tight"
    assert cropped.sector.any(axis=1)[[0, -1]].all(), "tight"
    np.testing.assert_array_equal(frames, before)


def test_a_sector_that_is_known_is_kept():
    truth = SECTORS["phased"]
    clip = Clip(np.full((3, 480, 640), 9, np.uint8), sector=truth)
    cropped = resolve("transform", "monai-sector")(clip, RNG)
    assert cropped.sector.sum() == truth.sum()
    again = resolve("transform", "monai-sector")(cropped, RNG)
    np.testing.assert_array_equal(again.frames, cropped.frames)
    assert again.box == cropped.box


def _trace():
    return np.concatenate([clutter((300, 400), 10, np.random.default_rng(0))] * 2)


def _cross():
    inside = rectangle((300, 300), 0, 300, 135, 165) | rectangle((300, 300), 135, 165, 0, 300)
    return tissue(inside, np.random.default_rng(0))


STILL = np.broadcast_to(cluttered(SECTORS["phased"])[:1], (8, 480, 640))


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (np.zeros((8, 200, 200), np.uint8), "black"),
        (STILL, "nothing moves"),
        (STILL[:1], "one frame"),
        (_trace(), "thin lines"),
        (tissue(rectangle((400, 400), 20, 80, 20, 80), np.random.default_rng(0)), "fills 2.2%"),
        (_cross(), "neither the shape of a fan nor of a rectangle"),
    ],
    ids=["black", "still", "single", "thin", "tiny", "cross"],
)
def test_a_clip_without_a_plausible_sector_is_refused_with_the_reason(frames, reason):
    with pytest.raises(ClipError, match=reason):
        find(frames)


def test_float_frames_and_bad_options_are_refused():
    with pytest.raises(ClipError, match="uint8"):
        find(np.zeros((3, 64, 64), np.float32))
    with pytest.raises(OptionError, match="frames=1"):
        resolve("transform", "monai-sector", frames=1)
    with pytest.raises(ClipError, match="empty"):
        find(np.ones((3, 64, 64), np.uint8), sector=np.zeros((64, 64), bool))


def luma(path, frames):
    """Some frames of a DICOM cine as grey levels."""
    dataset = pydicom.dcmread(path)
    ybr = dataset.PhotometricInterpretation.startswith("YBR")
    grey = []
    for frame in iter_pixels(dataset, raw=True, indices=frames):
        weighted = frame[..., 0] if ybr else np.rint(frame @ np.array([0.299, 0.587, 0.114]))
        grey.append(weighted.astype(np.uint8))
    return np.stack(grey)


def _check_real(frames, texts, tissue_at):
    sector, clip = find(frames)
    written = (frames.min(axis=0) > 50) & (np.ptp(frames, axis=0) <= 2)
    for name, box in texts.items():
        assert written[box.slices].any(), f"{name} is not there"
        assert not (sector & written)[box.slices].any(), f"{name} survives"
    lively = np.float32(frames).std(axis=0) > 12
    lively[~tissue_at] = False
    assert (lively & ~sector).sum() < 0.005 * lively.sum(), "tissue was cut off"
    assert not clip.frames[:, ~clip.sector].any()
    return sector


def test_real_apical_clips_of_two_sizes():
    small = luma(pydicom.examples.get_path("ybr_color"), range(0, 30, 2))
    large = luma(get_testdata_file("color3d_jpeg_baseline.dcm", download=False), range(0, 120, 8))
    texts = {
        "the corner text": Box(0, 0, 62, 80),
        "the marker": Box(34, 374, 14, 14),
        "the ticks": Box(30, 596, 360, 4),
        "the right-hand text": Box(20, 602, 265, 38),
        "the button bar": Box(450, 0, 30, 640),
        "the depth": Box(396, 570, 20, 30),
    }
    tissue_at = np.zeros((480, 640), bool)
    tissue_at[44:405, 80:596] = True
    sector = _check_real(large, texts, tissue_at)
    halves = {
        n: Box(b.top // 2, b.left // 2 + 1, b.height // 2, b.width // 2)
        for n, b in texts.items()
        if n not in ("the ticks",)
    }
    half = _check_real(small, halves, tissue_at[::2, ::2])
    assert overlap(half, sector[::2, ::2]) > 0.9


def test_real_colour_doppler_clip_with_an_ecg():
    import deid_data

    path = Path(deid_data.__file__).parent / "data/ultrasounds/ultrasound-multiframe.dcm"
    frames = luma(path, range(0, 30, 2))
    texts = {
        "the settings": Box(40, 0, 240, 90),
        "the P marker": Box(60, 452, 32, 32),
        "the colour bar": Box(50, 740, 260, 60),
        "the zoom mark": Box(255, 650, 110, 110),
        "the heart rate": Box(560, 730, 40, 70),
    }
    tissue_at = np.zeros((600, 800), bool)
    tissue_at[104:555] = True
    sector = _check_real(frames, texts, tissue_at)
    assert not sector[558:].any(), "the ECG survives"
    ticks = np.zeros((600, 800), bool)
    for row, column in ((111, 449), (156, 494), (249, 587), (317, 654)):
        ticks[row - 2 : row + 3, column - 2 : column + 3] = (
            frames.min(axis=0)[row - 2 : row + 3, column - 2 : column + 3] > 150
        )
    assert ticks.any()
    assert not (sector & ticks).any(), "a tick on the edge survives"
