"""A clip shows itself: in words without its pixels, in a notebook as a small movie."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from echokit import Clip


def movie_of(clip: Clip) -> tuple[str, Image.Image]:
    html = clip._repr_html_()
    [data] = re.findall(r'src="data:image/webp;base64,([^"]+)"', html)
    return html, Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_clip_is_told_in_words_without_its_pixels():
    clip = Clip(np.zeros((122, 480, 640), np.uint8), 29.97003, (0.30001, 0.25))
    assert repr(clip) == "Clip(122 frames of 480×640 uint8, 29.97 frames/s, 0.3×0.25 mm/pixel)"
    assert repr(Clip(np.zeros((2, 4, 6), np.float32))) == "Clip(2 frames of 4×6 float32)"


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_clip_plays_at_its_rate_whatever_its_frames_are(dtype):
    frames = np.zeros((6, 40, 80), dtype)
    bright = 250 if dtype == np.uint8 else 0.98
    for t in range(6):
        frames[t, :, 10 * t : 10 * t + 10] = bright
    html, movie = movie_of(Clip(frames, fps=20.0))
    assert "6 frames of 40×80" in html
    assert (movie.size, movie.n_frames) == ((80, 40), 6)
    for t in range(6):
        movie.seek(t)
        movie.load()
        columns = np.asarray(movie.convert("L"), float).mean(0)
        assert int(columns.argmax()) // 10 == t
        assert movie.info["duration"] == 50


def test_a_long_clip_of_large_frames_stays_small():
    noise = np.random.default_rng(0).integers(0, 256, (250, 600, 800), dtype=np.uint8)
    html, movie = movie_of(Clip(noise, fps=25.0))
    assert len(html) < 6_000_000, "pure noise, which compresses worst"
    assert max(movie.size) == 320
    assert movie.n_frames == 84
    movie.load()
    assert movie.info["duration"] == 120, "every third frame, at the clip's own pace"
