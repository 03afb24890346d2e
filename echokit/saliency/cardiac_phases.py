"""Systole and diastole found from a clip's own pixels: no electrocardiogram, nothing learned.

As in manifold methods (Gifani et al. 2010, Physiological Measurement 31(9); Shalbaf et al. 2015,
doi:10.1007/s10396-014-0588-y) frames are points that run round a loop once a beat, and end-systole
and end-diastole are its far ends. Here the loop is the beat averaged over the clip, and its longest
axis the first principal component.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

SLOWEST, FASTEST = 60.0, 240.0
"""Heart rates that are looked for, beats a minute; a newborn's lies at 90 to 210."""
LEAST = 0.15
"""Periodicity below which nothing is called a beat."""
GRID = 64
"""Pictures of the average beat."""


@dataclass(frozen=True, slots=True)
class Phases:
    """Where in a sequence the heart is at the turning points of its beat.

    Frames are counted from the sequence's first; None where the sequence does not reach there, or
    where no beat was found.
    """

    systole: int | None
    """The end-systolic frame: the ventricles at their smallest."""
    diastole: int | None
    """The end-diastolic frame: the ventricles at their largest."""
    between: tuple[int | None, int | None]
    """Half-way from systole to diastole, and half-way back."""
    rate: float | None
    """Heart rate in beats a minute."""
    quality: float
    """In [0, 1]: 0 no beat; 1 every beat like the last, and no doubt which end is systole."""

    def asdict(self) -> dict[str, Any]:
        """The same as plain values, as the index of saliency keeps them."""
        rate = None if self.rate is None else round(self.rate, 1)
        frames = {"systole": self.systole, "diastole": self.diastole}
        return frames | {
            "between": list(self.between),
            "rate": rate,
            "quality": round(self.quality, 3),
        }


NOTHING = Phases(None, None, (None, None), None, 0.0)
"""No beat was found."""


def find_phases(
    frames: UInt8[np.ndarray, "T H W"],
    fps: float,
    sector: Bool[np.ndarray, "H W"] | None = None,
    *,
    start: int = 0,
    k: int | None = None,
) -> Phases:
    """Find end-systole and end-diastole in a sequence, with the whole clip as a witness.

    The period is where the clip resembles itself most after a lag. Around the sequence the frames
    are then fitted by two harmonics of it, pixel by pixel, which averages speckle away. Of the two
    far ends of that average beat, systole is the briefer one (the ventricles stay large for longer
    than they stay small), the one with the smaller dark cavity amid the sector, and the one with
    less cavity near the probe and more far from it, where atria fill in systole. The three signs
    are weighed together; none is certain in a sick heart: this picks frames to look at, and
    measures nothing.

    Args:
        frames: the grey frames of the whole clip, 0-255.
        fps: frames per second.
        sector: True inside the scanning sector; None takes every pixel.
        start: first frame of the sequence.
        k: frames in the sequence; None means all that follow.

    Returns:
        Frames within the sequence. All None, with quality 0, where the clip is shorter than some
        beat and a half, or repeats nothing.
    """
    stop = len(frames) if k is None else start + k
    inside = np.ones(frames.shape[1:], bool) if sector is None else sector
    pixels, places = _pixels(frames, inside)
    found = _period(pixels, fps)
    if found is None or found[1] < LEAST:
        return NOTHING
    period, quality = found
    low, high = max(0, int(start - 1.5 * period)), min(len(frames), int(stop + 1.5 * period) + 1)
    beat = _average_beat(pixels[low:high], period)
    systole, diastole, clarity = _far_ends(beat, places)
    quality = float(np.clip(quality * clarity, 0, 1))
    filling = (diastole - systole) % 1.0
    turns = (systole, systole + filling / 2, diastole, diastole + (1 - filling) / 2)
    at = [_frame(low - start + turn * period, period, stop - start) for turn in turns]
    rate = 60 * fps / period
    return Phases(at[0], at[2], (at[1], at[3]), rate, quality)


def _pixels(
    frames: UInt8[np.ndarray, "T H W"], inside: Bool[np.ndarray, "H W"]
) -> tuple[Float[np.ndarray, "T P"], Float[np.ndarray, "P 2"]]:
    """Blurred pixels of the sector, some fifty to a side; how central and how high each is."""
    from scipy.ndimage import gaussian_filter

    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    step = max(1, round(max(inside.shape) / 48))
    small = gaussian_filter(frames.astype(np.float32), (0, step, step))[:, ::step, ::step]
    inside = inside[::step, ::step]
    y, x = (index * step for index in np.nonzero(inside))
    across = (x - x.mean()) / (columns[-1] - columns[0] + 1)
    down = (y - rows.mean()) / (rows[-1] - rows[0] + 1)
    middle = np.exp(-((across / 0.25) ** 2) - (down / 0.25) ** 2)
    return small[:, inside], np.stack([middle, -down], axis=1)


def _period(pixels: Float[np.ndarray, "T P"], fps: float) -> tuple[float, float] | None:
    """Frames in a beat, and the autocorrelation at that lag; None where no lag stands out."""
    from scipy.interpolate import CubicSpline
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import argrelmax, detrend

    n = len(pixels)
    shortest, longest = 60 * fps / FASTEST, min(60 * fps / SLOWEST, 0.75 * n)
    if longest <= shortest:
        return None
    moving = detrend(pixels, axis=0)
    moving = moving - gaussian_filter1d(moving, 0.3 * fps, axis=0)  # breath and a drifting probe
    gram = moving @ moving.T
    power = float(np.trace(gram)) / n
    if power < 1e-6:
        return None
    likeness = CubicSpline(range(n), [np.trace(gram, lag) / (n - lag) / power for lag in range(n)])
    lags = np.linspace(shortest, longest, 800)
    course = likeness(lags)
    peaks = argrelmax(course)[0]
    peaks = peaks[course[peaks] > 0]
    if not len(peaks):
        return None
    # two beats repeat as well as one, and long lags are seen in few frames
    weighed = course[peaks] * np.sqrt(1 - lags[peaks] / n)
    first = lags[peaks[weighed >= 0.5 * weighed.max()][0]]
    near = np.linspace(0.93 * first, 1.07 * first, 200)
    near = near[near <= longest]
    beats = [b for b in range(1, 6) if b * near[-1] <= longest] or [1]
    score = np.mean([likeness(b * near) for b in beats], axis=0)
    return float(near[score.argmax()]), float(score.max())


def _average_beat(pixels: Float[np.ndarray, "T P"], period: float) -> Float[np.ndarray, "GRID P"]:
    """The beat that the frames repeat, fitted by two harmonics beside a trend."""

    def waves(turns: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 5"]:
        angle = 2 * np.pi * turns[:, None] * np.array([1, 2])
        return np.hstack([np.ones((len(turns), 1)), np.cos(angle), np.sin(angle)])

    time = np.arange(len(pixels))
    trend = (time - time.mean())[:, None] / len(time)
    fitted, *_ = np.linalg.lstsq(np.hstack([waves(time / period), trend]), pixels, rcond=None)
    beat: Float[np.ndarray, "GRID P"] = waves(np.arange(GRID) / GRID) @ fitted[:5]
    return beat


def _far_ends(
    beat: Float[np.ndarray, "GRID P"], places: Float[np.ndarray, "P 2"]
) -> tuple[float, float, float]:
    """Systole and diastole as shares of the average beat, and in [0, 1] how clear the choice is."""
    from scipy.stats import skew

    axis = np.linalg.svd(beat - beat.mean(axis=0), full_matrices=False)[0][:, 0]
    cavity = (1 / (1 + np.exp((beat - np.quantile(beat, 0.4)) / 15))) @ places
    signs = [float(skew(axis))]
    for course in cavity.T:
        if course.std() > 0:
            signs.append(-0.3 * float(np.corrcoef(axis, course)[0, 1]))
    if sum(signs) < 0:
        axis = -axis
    clarity = min(1.0, abs(sum(signs)) / 0.4)
    return int(axis.argmax()) / GRID, int(axis.argmin()) / GRID, clarity


def _frame(time: float, period: float, k: int) -> int | None:
    """The frame of a sequence nearest to an event that recurs; None if it lies over one outside."""
    first = time % period
    events = np.arange(first - period, k + period, period)
    outside = np.maximum(np.maximum(-events, events - (k - 1)), 0)
    best = events[np.lexsort((np.abs(events - (k - 1) / 2), outside))[0]]
    frame = int(np.clip(round(float(best)), 0, k - 1))
    return frame if abs(frame - best) <= 1 else None
