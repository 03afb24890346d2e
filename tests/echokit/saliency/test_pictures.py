import cv2
import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from echokit import Box, UsageError
from echokit.saliency import pictures as saliency
from echokit.saliency.overlay import OPACITY, overlay, palette, place
from echokit.saliency.pictures import saliency_movie, saliency_strip

CORNERS = {"top left": (12, 12), "bottom left": (52, 12), "top right": (12, 52)}


def moving(frames=6, shape=(64, 64)):
    """Grey frames that all differ, so that no encoder merges two of them."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.uniform(40, 160, shape), (0, 0), 3)
    return np.stack([np.roll(noise, 3 * t, 0) + 4 * t for t in range(frames)]).astype(np.uint8)


def spot(row, column, shape=(64, 64), width=6.0):
    y, x = np.mgrid[: shape[0], : shape[1]]
    values = np.exp(-(((y - row) / width) ** 2) - ((x - column) / width) ** 2)
    return (values / values.max()).astype(np.float32)


def pages(path):
    with Image.open(path) as movie:
        shown, times = [], []
        for i in range(movie.n_frames):
            movie.seek(i)
            shown.append(np.asarray(movie.convert("RGB")).astype(int))
            times.append(movie.info["duration"])
        return shown, times, movie.info["loop"]


def colourfulness(picture):
    return picture.max(-1).astype(int) - picture.min(-1)


def test_movie_shows_every_frame_at_its_rate_for_ever(tmp_path):
    frames = moving()
    saliency_movie(frames, np.stack([spot(30, 30)] * 6), tmp_path / "a.webp", fps=25.0, size=128)
    shown, times, loop = pages(tmp_path / "a.webp")
    assert len(shown) == 6
    assert set(times) == {40}
    assert loop == 0
    assert shown[0].shape == (128, 2 * 128 + 4, 3)


@pytest.mark.parametrize("corner", CORNERS)
def test_colour_is_where_and_when_the_saliency_is(tmp_path, corner):
    saliency = np.zeros((6, 64, 64), np.float32)
    saliency[4] = spot(*CORNERS[corner])
    saliency_movie(moving(), saliency, tmp_path / "a.webp", fps=10.0, size=64)
    shown, _, _ = pages(tmp_path / "a.webp")
    for time, page in enumerate(shown):
        assert colourfulness(page[:, :60]).max() < 40  # the grey frame, but for the encoder
        right = colourfulness(page[:, 68:])
        if time == 4:
            y, x = np.unravel_index(right.argmax(), right.shape)
            assert np.hypot(y - CORNERS[corner][0], x - CORNERS[corner][1]) < 9
            assert right.max() > 90
        else:
            assert right.max() < 40


def test_saliency_of_a_window_colours_that_window_alone(tmp_path):
    saliency_movie(
        moving(9), np.stack([spot(32, 32)] * 3), tmp_path / "a.webp", 10.0, start=4, size=64
    )
    shown, _, _ = pages(tmp_path / "a.webp")
    coloured = [t for t, page in enumerate(shown) if colourfulness(page[:, 68:]).max() > 90]
    assert coloured == [4, 5, 6]


def test_no_saliency_makes_a_movie_of_the_frames_alone(tmp_path):
    saliency_movie(moving(), None, tmp_path / "a.webp", 10.0, size=64)
    shown, _, _ = pages(tmp_path / "a.webp")
    assert shown[0].shape == (64, 64, 3)


def test_placing_agrees_with_the_bicubic_resize_of_torch():
    box = Box(20, 40, 96, 112)
    values = cv2.GaussianBlur(
        np.random.default_rng(1).random((14, 14)).astype(np.float32), (0, 0), 1
    )
    placed = place(values, (140, 180), box)
    options = {"mode": "bicubic", "antialias": True}  # with the coefficient of Pillow, -0.5
    expected = F.interpolate(torch.from_numpy(values)[None, None], (96, 112), **options)[0, 0]
    np.testing.assert_allclose(placed[box.slices], expected.clip(0, 1), atol=1e-3)
    placed[box.slices] = 0
    assert not placed.any()


def test_overlay_is_bare_where_low_and_the_colour_map_where_high():
    frame = moving()[0]
    grey = np.repeat(frame[..., None], 3, 2)
    np.testing.assert_array_equal(overlay(frame, np.full(frame.shape, 0.1)), grey)
    full = overlay(frame, np.ones(frame.shape))
    top = np.array(matplotlib.colormaps["inferno"](1.0)[:3]) * 255
    np.testing.assert_allclose(full, grey * (1 - OPACITY) + top * OPACITY, atol=1.5)


def test_palette_is_perceptually_uniform():
    lightness = cv2.cvtColor(palette()[None], cv2.COLOR_RGB2LAB)[0, :, 0].astype(float)
    assert np.corrcoef(np.arange(256), lightness)[0, 1] > 0.995
    assert (np.diff(lightness[::8]) > 0).all()


def test_nothing_is_drawn_outside_the_sector():
    frame = moving()[0]
    sector = np.zeros((16, 16), bool)
    sector[:, :8] = True
    drawn = overlay(frame, place(np.ones((16, 16)), frame.shape, None, sector))
    assert not colourfulness(drawn[:, 32:]).any()
    assert (colourfulness(drawn[:, :32]) > 0).all()


def test_a_small_map_over_a_small_frame_is_drawn_smoothly_at_the_size_of_the_picture(tmp_path):
    """A blob of 2 of 8 cells, on frames of 40 pixels, in a picture of 224: no step, no block."""
    saliency = np.zeros((1, 8, 8), np.float32)
    saliency[0, 3:5, 3:5] = 1
    sector = np.zeros((8, 8), bool)
    sector[1:7, 1:7] = True
    saliency_strip(np.full((1, 40, 40), 60, np.uint8), saliency, tmp_path / "s.png", sector=sector)
    with Image.open(tmp_path / "s.png") as image:
        drawn = np.asarray(image.convert("RGB"))[20 + 224 + 4 :].astype(int)
    assert drawn.shape == (224, 224, 3)
    assert colourfulness(drawn).max() > 90
    along = colourfulness(drawn)[112]
    assert abs(np.diff(along)).max() < 40, "a block of 28 pixels would end in one step of 73"
    assert len(np.unique(along)) > 12


def test_the_sector_may_be_that_of_the_frames_or_that_of_the_map(tmp_path):
    frames, saliency = moving(1), np.ones((1, 16, 16), np.float32)
    for side in (16, 64):
        sector = np.zeros((side, side), bool)
        sector[:, : side // 2] = True
        saliency_strip(frames, saliency, tmp_path / f"{side}.png", sector=sector, size=64)
        with Image.open(tmp_path / f"{side}.png") as image:
            below = colourfulness(np.asarray(image.convert("RGB"))[88:])
        assert below[:, :30].min() > 60
        assert below[:, 34:].max() == 0


def test_strip_shows_frames_above_and_overlays_below_at_even_times(tmp_path):
    saliency = np.stack([spot(32, 32) * (t == 11) for t in range(12)])
    saliency_strip(moving(12), saliency, tmp_path / "s.png", fps=25.0, size=64)
    with Image.open(tmp_path / "s.png") as image:
        strip = np.asarray(image.convert("RGB"))
    assert strip.shape == (20 + 64 + 4 + 64, 4 * 64 + 3 * 4, 3)
    assert not colourfulness(strip[20:84, :64]).any()
    below = [colourfulness(strip[88:, x : x + 64]).max() > 90 for x in range(0, 272, 68)]
    assert below == [False, False, False, True]
    np.testing.assert_array_equal(strip[20:84, 204:, 0], moving(12)[11])


def test_strip_counts_frames_from_one_and_says_of_how_many(tmp_path, monkeypatch):
    said = []
    draw = saliency.ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        saliency.ImageDraw.ImageDraw,
        "text",
        lambda self, at, words, **how: (said.append(words), draw(self, at, words, **how)),
    )
    saliency_strip(moving(12), np.stack([spot(32, 32)] * 12), tmp_path / "s.png", fps=25.0)
    assert said == [
        "frame 1 of 12 · 0.00 s",
        "frame 5 of 12 · 0.16 s",
        "frame 8 of 12 · 0.28 s",
        "frame 12 of 12 · 0.44 s",
    ]


def test_strip_of_fewer_frames_than_columns(tmp_path):
    saliency_strip(moving(2), np.stack([spot(32, 32)] * 2), tmp_path / "s.png", size=64)
    with Image.open(tmp_path / "s.png") as strip:
        assert strip.size == (2 * 64 + 4, 20 + 64 + 4 + 64)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frames": moving().astype(float)}, "give uint8"),
        ({"frames": moving()[0]}, "time, row, column"),
        ({"fps": 0.0}, "positive fps"),
        ({"fps": float("nan")}, "positive fps"),
        ({"saliency": np.full((6, 8, 8), 3.0)}, r"scale it to \[0, 1\]"),
        ({"saliency": np.full((6, 8, 8), np.nan)}, r"scale it to \[0, 1\]"),
        ({"saliency": np.zeros((7, 8, 8))}, "does not fit a clip of 6 frames"),
        ({"start": 1}, "does not fit a clip of 6 frames"),
        ({"start": -1}, "does not fit"),
        ({"sector": np.ones((9, 8), bool)}, "one resolution"),
        ({"box": Box(0, 0, 65, 64)}, "does not lie within"),
        ({"box": Box(-1, 0, 10, 10)}, "does not lie within"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path, change, words):
    given = {"frames": moving(), "saliency": np.zeros((6, 8, 8)), "fps": 10.0} | change
    with pytest.raises(UsageError, match=words):
        saliency_movie(path=tmp_path / "a.webp", **given)
    assert not list(tmp_path.iterdir())


def test_the_given_arrays_stay_as_they_were(tmp_path):
    frames, saliency = moving(), np.stack([spot(30, 30)] * 6)
    before = frames.copy(), saliency.copy()
    saliency_movie(frames, saliency, tmp_path / "a.webp", 10.0)
    np.testing.assert_array_equal(frames, before[0])
    np.testing.assert_array_equal(saliency, before[1])
