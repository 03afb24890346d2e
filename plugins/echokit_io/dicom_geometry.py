"""Frame rate, pixel size and B-mode region of a DICOM clip."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from echokit import Box
from echokit_io.budget import FASTEST, SLOWEST, check_rate, check_spacing
from echokit_io.dicom_values import items, number, numbers, text
from echokit_io.frame_times import uneven

POINTER = "(0018,1065)"
"""FrameIncrementPointer of a clip whose times FrameTimeVector says."""
TISSUE, COLOUR_FLOW, PULSED_WAVE, CONTINUOUS_WAVE = 1, 2, 3, 4
"""Values of RegionDataType."""
M_MODE, SPECTRAL = 2, 3
"""Values of RegionSpatialFormat."""
TWO_DIMENSIONAL, CENTIMETRES = 1, 3
"""Values of RegionSpatialFormat and PhysicalUnitsXDirection (PS3.3 C.8.5.5)."""
OVERSHOOT = 2
"""Pixels by which a region may exceed the frame and be clipped: some scanners count from 1."""
SMALLEST = 16
"""Smallest length in pixels of a region's shorter side."""


def frames_per_second(tags: Any) -> float | None:
    """Read the frame rate: FrameTime, FrameTimeVector, CineRate, RecommendedDisplayFrameRate.

    The first of them that is a plausible positive rate is used; FrameTimeVector goes first where
    FrameIncrementPointer names it. For a FrameTimeVector this is the
    mean of its increments without the first, which is 0 by definition. Zero and negative values
    state nothing.

    Raises:
        ClipError: rates are stated, and none is plausible.
    """
    increments = numbers(tags, "FrameTimeVector")[1:]
    times = [number(tags, "FrameTime"), sum(increments) / max(len(increments), 1)]
    if text(tags, "FrameIncrementPointer") == POINTER:
        times.reverse()
    rates = [1000 / time for time in times if time and time > 0]
    rates += [number(tags, key) or 0.0 for key in ("CineRate", "RecommendedDisplayFrameRate")]
    stated = [rate for rate in rates if rate > 0]
    if not stated:
        return None
    plausible = [rate for rate in stated if SLOWEST <= rate <= FASTEST]
    rate = (plausible or stated)[0]
    return check_rate(rate, f"its frame rate is {rate:g} per second (FrameTime or CineRate)")


def frame_times(tags: Any, frames: int) -> Float[np.ndarray, " T"] | None:
    """Read the seconds of each frame since the first from FrameTimeVector (PS3.3 C.7.6.5.1.2).

    Returns:
        None where it is not the vector that says the times, it does not fit the frames, or they
        are evenly spaced.
    """
    pointer = text(tags, "FrameIncrementPointer")
    vector = numbers(tags, "FrameTimeVector")
    if len(vector) != frames or (number(tags, "FrameTime") and pointer != POINTER):
        return None
    return uneven(np.cumsum([0.0, *vector[1:]]) / 1000)


def modes(tags: Any) -> tuple[str, ...]:
    """Name what the regions show besides B-mode: spectral Doppler, M-mode, colour Doppler."""
    found = []
    for item in items(tags, "SequenceOfUltrasoundRegions"):
        kind, form = number(item, "RegionDataType"), number(item, "RegionSpatialFormat")
        if form == SPECTRAL or kind in (PULSED_WAVE, CONTINUOUS_WAVE):
            found.append("spectral Doppler")
        elif form == M_MODE:
            found.append("M-mode")
        elif kind == COLOUR_FLOW:
            found.append("colour Doppler")
    return tuple(dict.fromkeys(found))


def region_and_spacing(
    tags: Any, rows: int, columns: int
) -> tuple[Box | None, tuple[float, float] | None]:
    """Read the 2D tissue region, and millimetres per pixel (row, column).

    Of several tissue regions (a dual view, or a picture in a picture) the largest is used, of
    equal ones the first. A region that exceeds the frame by more than `OVERSHOOT` pixels belongs
    to another size of this image: neither it nor its pixel size is used. Deltas may be negative
    (an axis that points up) and unequal.
    """
    tissue = [
        (_box(item, rows, columns), item)
        for item in items(tags, "SequenceOfUltrasoundRegions")
        if number(item, "RegionDataType") == TISSUE
        and number(item, "RegionSpatialFormat") == TWO_DIMENSIONAL
    ]
    sound = [(box, item) for box, item in tissue if box]
    if not sound:
        return None, None if tissue else _pixel_spacing(tags)
    box, item = max(sound, key=lambda pair: pair[0].height * pair[0].width)
    return box, _deltas(item) or _pixel_spacing(tags)


def _box(item: Any, rows: int, columns: int) -> Box | None:
    keys = [f"RegionLocation{corner}" for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
    corners = [number(item, key) for key in keys]
    if None in corners:
        return None
    left, top, right, bottom = (int(corner or 0) for corner in corners)
    if right >= columns + OVERSHOOT or bottom >= rows + OVERSHOOT or left < 0 or top < 0:
        return None
    height, width = min(bottom, rows - 1) + 1 - top, min(right, columns - 1) + 1 - left
    return Box(top, left, height, width) if min(height, width) >= SMALLEST else None


def _deltas(item: Any) -> tuple[float, float] | None:
    units = {number(item, f"PhysicalUnits{axis}Direction") for axis in "XY"}
    row, column = (abs(number(item, f"PhysicalDelta{axis}") or 0) * 10 for axis in "YX")
    return check_spacing(row, column) if units == {CENTIMETRES} and row and column else None


def _pixel_spacing(tags: Any) -> tuple[float, float] | None:
    spacing = numbers(tags, "PixelSpacing")
    return check_spacing(*spacing) if len(spacing) == 2 and min(spacing) > 0 else None
