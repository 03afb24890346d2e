"""The description of a clip: what it sees, and what leaves it as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from echokit import Box, Clip
from echokit.novelty.statistics import STATISTICS, describe


def beating(frames=40, side=48, fps=25.0, seed=0):
    """A ring that beats twice a second, in speckle that moves with it."""
    rng = np.random.default_rng(seed)
    speckle = rng.gamma(2, 0.5, (side, side))
    y, x = np.mgrid[:side, :side] / side - 0.5
    beat = 0.25 + 0.06 * np.sin(4 * np.pi * np.arange(frames) / fps)[:, None, None]
    walls = np.exp(-(((np.hypot(x, y) - beat) / 0.06) ** 2))
    pixels = np.clip((20 + 150 * walls) * speckle, 0, 255).astype(np.uint8)
    sector = np.hypot(x, y) < 0.49
    return Clip(pixels * sector, fps=fps, sector=sector, box=Box(0, 0, side, side))


def of(clip, group):
    return {
        one.name: value
        for one, value in zip(STATISTICS, describe(clip), strict=True)
        if one.group == group
    }


def test_every_number_is_finite_where_the_clip_says_all():
    assert np.isfinite(describe(beating())).all()
    assert len({one.name for one in STATISTICS}) == len(STATISTICS)


def test_what_the_clip_does_not_say_is_unknown_and_no_guess():
    bare = Clip(beating().frames)
    assert np.isnan(of(bare, "frame rate")["frames per second (logarithm)"])
    assert np.isnan(of(bare, "sector")["height against width"])
    assert np.isfinite(describe(bare)).sum() == len(STATISTICS) - 2


def test_a_beat_returns_and_noise_and_stills_do_not():
    clip, rng = beating(), np.random.default_rng(1)
    noise = replace(clip, frames=rng.integers(0, 256, clip.frames.shape, dtype=np.uint8))
    still = replace(clip, frames=np.repeat(clip.frames[:1], 40, axis=0))
    beat = of(clip, "rhythm")["return"]
    assert beat > 0.5
    assert of(noise, "rhythm")["return"] < 0.3 * beat
    assert of(still, "rhythm") == {"swing": 0, "return": 0}
    assert of(still, "motion")["unchanged pixels"] == 1
    assert of(noise, "motion")["likeness of consecutive frames"] == pytest.approx(0, abs=0.05)


def test_upside_down_moves_the_layout_and_the_sector():
    clip = beating()
    sector = clip.sector.copy()
    sector[24:, :12] = False
    clip = replace(clip, sector=sector, frames=clip.frames * sector)
    turned = replace(clip, frames=clip.frames[:, ::-1].copy(), sector=sector[::-1].copy())
    top = "share in the upper half"
    assert of(turned, "sector")[top] == pytest.approx(1 - of(clip, "sector")[top], abs=0.01)
    assert of(turned, "grey levels") == pytest.approx(of(clip, "grey levels"))
    names = [f"brightness of block {row},1" for row in (1, 4)]
    assert of(turned, "layout")[names[0]] == pytest.approx(of(clip, "layout")[names[1]], abs=1e-3)


def test_only_the_sector_counts():
    clip = beating()
    outside = clip.frames.copy()
    outside[:, ~clip.sector] = 200
    assert of(replace(clip, frames=outside), "motion") == of(clip, "motion")
    assert of(replace(clip, frames=outside), "grain") == of(clip, "grain")


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 3, 5), (200, 16, 16)])
def test_small_and_long_clips_are_described_too(shape):
    frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert describe(Clip(frames)).shape == (len(STATISTICS),)
