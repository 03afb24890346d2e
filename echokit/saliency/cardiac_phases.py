"""Find systole and diastole from the pixels of a clip, without ECG and without learning.

As in manifold methods (Gifani et al. 2010, Physiological Measurement 31(9); Shalbaf et al. 2015,
doi:10.1007/s10396-014-0588-y) each frame is a point on a loop that is traversed once in a beat, and
end-systole and end-diastole are the two ends of its longest axis. Here the loop is the beat
averaged over the clip, and the axis is its first principal component.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.signal import argrelmax, detrend
from scipy.stats import skew

SLOWEST, FASTEST = 60.0, 240.0
"""Range of heart rates to search, in beats per minute; a newborn's is 90 to 210."""
LEAST = 0.15
"""Smallest autocorrelation that counts as a beat."""
GRID = 64
"""Number of time points of the average beat."""


@dataclass(frozen=True, slots=True)
class Phases:
    """Frames of a sequence at the turning points of the heart beat.

    Frames are counted from the first of the sequence; None if the sequence does not contain the
    event, or if no beat was found.
    """

    systole: int | None
    """End-systolic frame: the ventricles are smallest."""
    diastole: int | None
    """End-diastolic frame: the ventricles are largest."""
    between: tuple[int | None, int | None]
    """Frames half-way from systole to diastole, and half-way from diastole to systole."""
    rate: float | None
    """Heart rate in beats per minute."""
    quality: float
    """In [0, 1]: 0 for no beat; 1 for identical beats and no doubt which end is systole."""

    def as_json(self) -> dict[str, object]:
        """Convert to plain values, as in `saliency/index.json`."""
        rate = None if self.rate is None else round(self.rate, 1)
        frames = {"systole": self.systole, "diastole": self.diastole}
        return frames | {
            "between": list(self.between),
            "rate": rate,
            "quality": round(self.quality, 3),
        }


NO_BEAT = Phases(None, None, (None, None), None, 0.0)
"""The result if no beat was found."""


def find_phases(
    frames: UInt8[np.ndarray, "T H W"],
    fps: float,
    sector: Bool[np.ndarray, "H W"] | None = None,
    *,
    start: int = 0,
    k: int | None = None,
) -> Phases:
    """Find end-systole and end-diastole in a sequence, from the whole clip.

    The period of the beat is the lag at which the clip resembles itself most. Around the sequence
    each pixel is then fitted with two harmonics of that period, which averages speckle away. Three
    signs tell which of the two ends of the average beat is systole: it is briefer (the ventricles
    stay large for longer than they stay small), it has the smaller dark cavity in the middle of the
    sector, and it has less cavity near the probe and more far from it, where the atria fill in
    systole. The signs are weighted together. None is certain in a diseased heart: the result
    selects frames to look at and is not a measurement.

    Args:
        frames: grey frames of the whole clip, 0-255.
        fps: frames per second.
        sector: True inside the scanning sector; None uses every pixel.
        start: first frame of the sequence.
        k: number of frames in the sequence; None means all that follow.

    Returns:
        Frames within the sequence. All None, with quality 0, if the clip is shorter than about a
        beat and a half, or does not repeat.
    """
    stop = len(frames) if k is None else start + k
    inside = np.ones(frames.shape[1:], bool) if sector is None else sector
    pixels, places = _pixels(frames, inside)
    beat_period = _period(pixels, fps)
    if beat_period is None or beat_period[1] < LEAST:
        return NO_BEAT
    period, quality = beat_period
    low, high = max(0, int(start - 1.5 * period)), min(len(frames), int(stop + 1.5 * period) + 1)
    beat = _average_beat(pixels[low:high], period)
    systole, diastole, clarity = _far_ends(beat, places)
    quality = float(np.clip(quality * clarity, 0, 1))
    filling = (diastole - systole) % 1.0
    turns = (systole, systole + filling / 2, diastole, diastole + (1 - filling) / 2)
    events = [_frame(low - start + turn * period, period, stop - start) for turn in turns]
    rate = 60 * fps / period
    return Phases(events[0], events[2], (events[1], events[3]), rate, quality)


def _pixels(
    frames: UInt8[np.ndarray, "T H W"], inside: Bool[np.ndarray, "H W"]
) -> tuple[Float[np.ndarray, "T P"], Float[np.ndarray, "P 2"]]:
    """Blur and thin out the sector to about fifty pixels a side.

    Returns:
        The pixels `(T, P)`, and for each how central it is and how near the probe.
    """
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
    """Find the frames in a beat and the autocorrelation at that lag; None without a clear lag."""
    n = len(pixels)
    shortest, longest = 60 * fps / FASTEST, min(60 * fps / SLOWEST, 0.75 * n)
    if longest <= shortest:
        return None
    moving = detrend(pixels, axis=0)
    moving = moving - gaussian_filter1d(moving, 0.3 * fps, axis=0)  # breathing, drift of the probe
    gram = moving @ moving.T
    power = float(np.trace(gram)) / n
    if power < 1e-6:  # a still clip has no beat
        return None
    correlation = CubicSpline(
        range(n), [np.trace(gram, lag) / (n - lag) / power for lag in range(n)]
    )
    lags = np.linspace(shortest, longest, 800)
    course = correlation(lags)
    peaks = argrelmax(course)[0]
    peaks = peaks[course[peaks] > 0]
    if not len(peaks):
        return None
    # twice the period repeats as well as the period, and long lags are estimated from few frames
    weighted = course[peaks] * np.sqrt(1 - lags[peaks] / n)
    first = lags[peaks[weighted >= 0.5 * weighted.max()][0]]
    near = np.linspace(0.93 * first, 1.07 * first, 200)
    near = near[near <= longest]
    beats = [b for b in range(1, 6) if b * near[-1] <= longest] or [1]
    score = np.mean([correlation(b * near) for b in beats], axis=0)
    return float(near[score.argmax()]), float(score.max())


def _average_beat(pixels: Float[np.ndarray, "T P"], period: float) -> Float[np.ndarray, "GRID P"]:
    """Average the beats: fit two harmonics and a linear trend to each pixel."""

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
    """Find systole and diastole as shares of the average beat, and how clear the choice is."""
    axis = np.linalg.svd(beat - beat.mean(axis=0), full_matrices=False)[0][:, 0]
    cavity = (1 / (1 + np.exp((beat - np.quantile(beat, 0.4)) / 15))) @ places
    signs = [float(skew(axis))]
    for course in cavity.T:
        if course.std() > 0:
            signs.append(-0.3 * float(np.corrcoef(axis, course)[0, 1]))
    if sum(signs) < 0:  # the sign of a principal component is arbitrary
        axis = -axis
    clarity = min(1.0, abs(sum(signs)) / 0.4)
    return int(axis.argmax()) / GRID, int(axis.argmin()) / GRID, clarity


def _frame(time: float, period: float, k: int) -> int | None:
    """Find the frame nearest to a recurring event; None if it is over one frame outside."""
    first = time % period
    events = np.arange(first - period, k + period, period)
    outside = np.maximum(np.maximum(-events, events - (k - 1)), 0)
    # of several beats, the event nearest to the middle of the sequence
    best = events[np.lexsort((np.abs(events - (k - 1) / 2), outside))[0]]
    frame = int(np.clip(round(float(best)), 0, k - 1))
    return frame if abs(frame - best) <= 1 else None
