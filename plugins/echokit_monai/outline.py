"""The outline of a scanning sector and its fit: a fan of any direction, or an upright rectangle.

A candidate outline scores `WEIGHT` for every living pixel inside it and -1 for every other pixel,
so dark tissue at the border stays inside as long as a fifth of the border is living, and a few
living pixels outside (a remnant of an ECG trace) do not enlarge the outline. For a given apex, the
best angles and radii are each the interval of a histogram with the largest sum; only the apex is
searched for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Bool, Float
from scipy import optimize

WEIGHT = 4.0
"""Score of a living pixel inside the outline; any other pixel inside has the score -1."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A fan, or with `apex` None a rectangle, in pixels of the picture it was fitted to."""

    score: float
    """Number of living pixels inside times `WEIGHT`, minus the number of the others inside."""
    rows: tuple[float, float]
    """First and last row."""
    columns: tuple[float, float]
    """First and last column."""
    apex: tuple[float, float] | None = None
    """(row, column) where the scan lines meet; it may lie outside the frame."""
    angles: tuple[float, float] = (0.0, 0.0)
    """Directions of the two edges, radians from straight down, positive to the right."""
    radii: tuple[float, float] = (0.0, 0.0)
    """Distances of the near and the far arc from the apex."""

    def contains(
        self, row: Float[np.ndarray, "..."], column: Float[np.ndarray, "..."]
    ) -> Bool[np.ndarray, "..."]:
        """Test which points lie inside; `row` and `column` broadcast against each other."""
        inside = (row >= self.rows[0]) & (row <= self.rows[1])
        inside = inside & (column >= self.columns[0]) & (column <= self.columns[1])
        if self.apex is None:
            return inside
        down, right = row - self.apex[0], column - self.apex[1]
        first, last = self.angles
        inside &= right * np.cos(first) >= down * np.sin(first)
        inside &= right * np.cos(last) <= down * np.sin(last)
        squared = down * down + right * right
        inside &= (squared >= self.radii[0] ** 2) & (squared <= self.radii[1] ** 2)
        return inside


def fit_outline(worth: Float[np.ndarray, "H W"]) -> Outline:
    """Fit the fan of the largest score, or the rectangle if it is as good.

    Args:
        worth: score of each pixel: `WEIGHT` for a living one, -1 for another, and values between
            for doubtful pixels; the long side should be a few hundred pixels.

    Returns:
        The outline in the coordinates of `worth`; the caller decides whether it is plausible.
    """
    cells = _Cells.sample(worth, step=1)
    rectangle = _fit_rectangle(cells, worth.shape)
    fan = _fit_fan(worth, cells)
    # a rectangle is a fan with its apex at infinity, so a fan may be slightly better by chance
    return rectangle if rectangle.score >= 0.99 * fan.score else fan


@dataclass(frozen=True, slots=True)
class _Cells:
    """Coordinates of pixels, and what each adds to the score of an outline around it."""

    row: Float[np.ndarray, " n"]
    column: Float[np.ndarray, " n"]
    value: Float[np.ndarray, " n"]

    @staticmethod
    def sample(worth: Float[np.ndarray, "H W"], step: int) -> _Cells:
        """Take every `step`-th pixel of both axes."""
        row, column = np.mgrid[step // 2 : worth.shape[0] : step, step // 2 : worth.shape[1] : step]
        row, column = row.ravel(), column.ravel()
        return _Cells(row.astype(float), column.astype(float), worth[row, column])


def _heaviest_run(
    x: Float[np.ndarray, " n"], value: Float[np.ndarray, " n"], low: float, high: float, bins: int
) -> tuple[float, float, float]:
    """Find the interval of `x` within [low, high] with the largest sum of values."""
    index = np.clip(((x - low) * (bins / (high - low))).astype(np.intp), 0, bins - 1)
    total = np.concatenate([[0.0], np.cumsum(np.bincount(index, weights=value, minlength=bins))])
    # Kadane's algorithm: the best interval ending at each bin starts at the lowest sum before it
    gain = total - np.minimum.accumulate(total)
    end = int(gain.argmax())
    start = int(total[: end + 1].argmin())
    width = (high - low) / bins
    return low + start * width, low + end * width, float(gain[end])


def _fit_rectangle(cells: _Cells, shape: tuple[int, ...]) -> Outline:
    """Fit an upright rectangle: rows for given columns and columns for given rows, in turns."""
    rows, columns, score = (-0.5, shape[0] - 0.5), (-0.5, shape[1] - 0.5), 0.0
    for _ in range(3):
        inside = (cells.column >= columns[0]) & (cells.column <= columns[1])
        *run, score = _heaviest_run(
            cells.row[inside], cells.value[inside], -0.5, shape[0] - 0.5, shape[0]
        )
        rows = (run[0], run[1])
        inside = (cells.row >= rows[0]) & (cells.row <= rows[1])
        *run, score = _heaviest_run(
            cells.column[inside], cells.value[inside], -0.5, shape[1] - 0.5, shape[1]
        )
        columns = (run[0], run[1])
    return Outline(score, rows, columns)


def _fit_fan(worth: Float[np.ndarray, "H W"], cells: _Cells) -> Outline:
    """Fit a fan: try apexes on a grid, refine the best one, cut straight sides."""
    coarse = _Cells.sample(worth, step=max(2, round((worth.size / 6000) ** 0.5)))
    living = coarse.value > 0
    centre = np.array([coarse.row[living].mean(), coarse.column[living].mean()])
    size = float((worth > 0).sum()) ** 0.5

    def loss(apex: Float[np.ndarray, " 2"], cells: _Cells = coarse, bins: int = 192) -> float:
        return -_fan_from(cells, apex, centre, bins).score

    # apex above or below: newborns' apical views are often shown upside down
    starts = [
        centre + size * np.array([side * distance, shift])
        for side in (-1, 1)
        for distance in (0.5, 0.75, 1.0, 1.5, 2.5)
        for shift in (-0.4, -0.2, 0.0, 0.2, 0.4)
    ]
    start = min(starts, key=loss)
    apex = _search(loss, start, reach=0.12 * size)
    finer = partial(loss, cells=_Cells.sample(worth, step=2), bins=512)
    apex = _search(finer, apex, reach=0.02 * size)
    return _cut_flat_sides(_fan_from(cells, apex, centre, bins=1024), cells)


def _search(
    loss: Callable[[Float[np.ndarray, " 2"]], float], start: Float[np.ndarray, " 2"], reach: float
) -> Float[np.ndarray, " 2"]:
    """Find the apex of the smallest loss near a first guess."""
    simplex = start + reach * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    options = {"initial_simplex": simplex, "maxfev": 60, "xatol": 0.2, "fatol": 0.5}
    minimum = optimize.minimize(loss, start, method="Nelder-Mead", options=options)
    apex: Float[np.ndarray, " 2"] = minimum.x
    return apex


def _fan_from(
    cells: _Cells, apex: Float[np.ndarray, " 2"], centre: Float[np.ndarray, " 2"], bins: int
) -> Outline:
    """Fit the best fan with the given apex that opens towards `centre`."""
    everything = (-np.inf, np.inf)  # straight sides are cut later
    # angles count from the axis to the centre, so that no fan crosses the jump at ±π
    axis = float(np.arctan2(centre[1] - apex[1], centre[0] - apex[0]))
    down, right = cells.row - apex[0], cells.column - apex[1]
    along = down * np.cos(axis) + right * np.sin(axis)
    across = right * np.cos(axis) - down * np.sin(axis)
    radius, angle = np.hypot(down, right), np.arctan2(across, along)
    near, far, reach = 0.0, np.inf, float(radius.max()) + 1e-6
    first, last, score = 0.0, 0.0, 0.0
    for _ in range(2):  # angles for given radii and radii for given angles, in turns
        inside = (radius >= near) & (radius <= far)
        first, last, _ = _heaviest_run(
            angle[inside], cells.value[inside], -np.pi / 2, np.pi / 2, bins
        )
        inside = (angle >= first) & (angle <= last)
        near, far, score = _heaviest_run(radius[inside], cells.value[inside], 0.0, reach, bins)
    point = (float(apex[0]), float(apex[1]))
    angles = (axis + first, axis + last)
    return Outline(score, everything, everything, point, angles, (near, far))


def _cut_flat_sides(fan: Outline, cells: _Cells) -> Outline:
    """Cut the fan where the screen cuts it straight: at a flat top or the edge of a zoomed box."""
    inside = fan.contains(cells.row, cells.column)
    worth = 0.01 * float(inside.sum())  # a smaller gain may be noise
    limits: list[tuple[float, float]] = []
    for x in (cells.row[inside], cells.column[inside]):
        low, high = float(x.min()), float(x.max())
        dead = -np.bincount((x - low).astype(np.intp), weights=cells.value[inside])
        before, after = np.cumsum(dead), np.cumsum(dead[::-1])
        start = low + int(before.argmax()) + 0.5 if before.max() > worth else low
        end = high - int(after.argmax()) - 0.5 if after.max() > worth else high
        limits.append((start, end))
    cut = replace(fan, rows=limits[0], columns=limits[1])
    left = cells.value[cut.contains(cells.row, cells.column)]
    return replace(cut, score=float(left.sum()))
