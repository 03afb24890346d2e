"""Describe the frames of a prepared clip by a few dozen numbers, without a network.

A network answers every clip, also one that shows no heart. What these numbers describe - the shape
of the sector, grey levels, grain, the layout of bright and moving areas, motion and rhythm - is
nearly the same for all clips of one view, and different for most of what is not an echo.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from echokit.types import Clip

GRID = 4
"""The layout is described on `GRID` x `GRID` blocks of the frame."""
LONGEST = 96
"""Frames of a clip that are described, from its first on."""
COARSE = 16
"""Side in pixels of the reduced frames that rhythm is measured on."""
BLACK, WHITE = 8, 247
"""Grey levels at which a pixel counts as black or white."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """One number that describes a clip."""

    name: str
    group: str
    """What it belongs to, in the words of a reason: `motion`, `grey levels` ..."""
    floor: float
    """Smallest spread between clips that is taken seriously: training clips of one machine may all
    have the same frame rate, and one of 26 frames/s is no other world for that."""


def _statistics() -> tuple[Statistic, ...]:
    blocks = [f"{row + 1},{column + 1}" for row in range(GRID) for column in range(GRID)]
    return (
        Statistic("share of the frame", "sector", 0.05),
        Statistic("height against width", "sector", 0.1),
        Statistic("share in the upper half", "sector", 0.03),
        Statistic("share in the left half", "sector", 0.03),
        Statistic("mean", "grey levels", 0.02),
        Statistic("spread", "grey levels", 0.02),
        Statistic("black", "grey levels", 0.02),
        Statistic("white", "grey levels", 0.02),
        Statistic("grain across", "grain", 0.03),
        Statistic("grain along", "grain", 0.03),
        Statistic("coarse grain across", "grain", 0.03),
        Statistic("coarse grain along", "grain", 0.03),
        Statistic("change between frames", "motion", 0.03),
        Statistic("likeness of consecutive frames", "motion", 0.03),
        Statistic("variation in time", "motion", 0.03),
        Statistic("unchanged pixels", "motion", 0.03),
        Statistic("swing", "rhythm", 0.05),
        Statistic("return", "rhythm", 0.05),
        Statistic("frames per second (logarithm)", "frame rate", 0.2),
        *(Statistic(f"brightness of block {block}", "layout", 0.02) for block in blocks),
        *(Statistic(f"variation of block {block}", "layout of motion", 0.02) for block in blocks),
    )


STATISTICS = _statistics()
"""What `describe` returns, in order."""


def describe(clip: Clip) -> Float[np.ndarray, " d"]:
    """Describe a prepared clip.

    Args:
        clip: frames uint8 (T, H, W), with its sector, source box and frame rate if they are known.

    Returns:
        One float64 for each of `STATISTICS`; NaN where the clip does not say, such as the frame
        rate.
    """
    frames = clip.frames[:LONGEST]
    inside = _inside(clip)
    # whole frames scale the memory of a clip by eight as float64: float32 is exact enough
    levels = frames.astype(np.float32) / 255
    return np.array(
        [
            *_sector(clip, inside),
            *_grey(frames, inside),
            *_grain(levels, inside),
            *_motion(levels, inside),
            *_rhythm(levels),
            np.log(clip.fps) if clip.fps else np.nan,
            *_blocks(levels.mean(axis=0)),
            *_blocks(levels.std(axis=0)),
        ],
        np.float64,
    )


def _inside(clip: Clip) -> Bool[np.ndarray, "H W"]:
    """Return the sector; where it is not known or empty, the whole frame."""
    if clip.sector is not None and clip.sector.any():
        return clip.sector
    return np.ones(clip.frames.shape[1:], np.bool_)


def _sector(clip: Clip, inside: Bool[np.ndarray, "H W"]) -> list[float]:
    height, width = inside.shape
    total = float(inside.sum())
    return [
        total / inside.size,
        float(np.log(clip.box.height / clip.box.width)) if clip.box else float("nan"),
        float(inside[: height // 2].sum()) / total,
        float(inside[:, : width // 2].sum()) / total,
    ]


def _grey(frames: UInt8[np.ndarray, "T H W"], inside: Bool[np.ndarray, "H W"]) -> list[float]:
    pixels = frames[:, inside]
    return [
        float(pixels.mean()) / 255,
        float(pixels.std()) / 255,
        float((pixels < BLACK).mean()),
        float((pixels > WHITE).mean()),
    ]


def _grain(levels: Float[np.ndarray, "T H W"], inside: Bool[np.ndarray, "H W"]) -> list[float]:
    """Compute the mean difference of pixels 1 and 2 apart, across and along, against the spread."""
    spread = max(float(levels[:, inside].std()), 1e-3)
    found = []
    for apart in (1, 2):
        across = np.abs(levels[:, :, apart:] - levels[:, :, :-apart])
        along = np.abs(levels[:, apart:] - levels[:, :-apart])
        for difference, both in (
            (across, inside[:, apart:] & inside[:, :-apart]),
            (along, inside[apart:] & inside[:-apart]),
        ):
            found.append(float(difference[:, both].mean()) / spread if both.any() else 0.0)
    return found


def _motion(levels: Float[np.ndarray, "T H W"], inside: Bool[np.ndarray, "H W"]) -> list[float]:
    pixels = levels[:, inside]  # T, n
    spread = max(float(pixels.std()), 1e-3)
    if len(pixels) < 2:
        return [0.0, 1.0, 0.0, 1.0]
    change = np.abs(np.diff(pixels, axis=0))
    centred = pixels - pixels.mean(axis=1, keepdims=True)
    norm = np.maximum(np.linalg.norm(centred, axis=1), 1e-6)
    likeness = (centred[1:] * centred[:-1]).sum(axis=1) / (norm[1:] * norm[:-1])
    return [
        float(change.mean()) / spread,
        float(likeness.mean()),
        float(pixels.std(axis=0).mean()) / spread,
        float((change == 0).mean()),
    ]


def _rhythm(levels: Float[np.ndarray, "T H W"]) -> list[float]:
    """Measure how far frames depart from each other, and come back, with the time between them.

    Frames of a beating heart become less alike with their distance in time, down to half a beat,
    and alike again after a whole one. Noise departs at once, a still never, and neither returns.
    """
    coarse = np.stack([_shrunk(frame, COARSE) for frame in levels]).reshape(len(levels), -1)
    moving = coarse - coarse.mean(axis=0)
    power = float((moving**2).sum(axis=1).mean())
    if len(levels) < 4 or power < 1e-8:
        return [0.0, 0.0]
    alike = moving @ moving.T / power
    by_lag = np.array([np.diagonal(alike, lag).mean() for lag in range(len(alike) * 3 // 4)])
    lowest = np.minimum.accumulate(by_lag)
    return [float(by_lag[1] - by_lag.min()), float((by_lag - lowest).max())]


def _blocks(picture: Float[np.ndarray, "H W"]) -> list[float]:
    # a picture of fewer pixels than blocks repeats them: every clip has as many figures
    rows, columns = (np.arange(max(n, GRID)) * n // max(n, GRID) for n in picture.shape)
    return [float(value) for value in _shrunk(picture[np.ix_(rows, columns)], GRID).ravel()]


def _shrunk(picture: Float[np.ndarray, "H W"], side: int) -> Float[np.ndarray, "rows columns"]:
    """Reduce a picture to the means of its blocks, of which there are `side` x `side` at most."""
    rows = np.linspace(0, picture.shape[0], min(side, picture.shape[0]), endpoint=False).astype(int)
    columns = np.linspace(0, picture.shape[1], min(side, picture.shape[1]), endpoint=False)
    cut = columns.astype(int)
    sums = np.add.reduceat(np.add.reduceat(picture, rows, axis=0), cut, axis=1)
    heights = np.diff([*rows, picture.shape[0]])
    widths = np.diff([*cut, picture.shape[1]])
    return np.asarray(sums / np.outer(heights, widths))
