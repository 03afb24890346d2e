"""The pixels of a clip that may stay: its scanning sector, without what is written over it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from echokit import Clip, ClipError, Transform

BRIGHT = 40
"""Grey level from which on a still pixel may be a letter."""
STILL = (2, 8)
"""Largest difference of grey levels, over all frames, of a pixel that stands still: a quarter of
what half of the sector's pixels vary by, and within these limits. Lossy video flickers."""
FEWEST = 8
"""Pixels of the smallest mark; single still pixels are speckle."""
LETTER = 48
"""Longest side in pixels of a mark that may be a letter or a few joined ones."""
EDGE = 2
"""Pixels by which a mark is blurred."""


def find_pixels(
    clip: Clip, find_sector: Transform, frames: Iterable[UInt8[np.ndarray, "H W *C"]] | None = None
) -> tuple[Bool[np.ndarray, "H W"], Bool[np.ndarray, "H W"]]:
    """Find which pixels of a clip stay: those in its sector, but for marks that stand still.

    Args:
        clip: grey frames of the whole screen.
        find_sector: the transform that crops to the sector.
        frames: the same frames in colour, for a clip that stores colour: its grey frames may be
            black where there is Doppler, and a letter among it would not seem to stand still.

    Returns:
        True where pixels stay; and the marks within the sector, which do not.

    Raises:
        ClipError: no sector is found; the message is the reason.
    """
    nothing_drawn: Any = None
    found = find_sector(clip, nothing_drawn)
    if found.sector is None or found.box is None or not found.sector.any():
        raise ClipError("No sector found: it is not known where names may be burned in.")
    sector: Bool[np.ndarray, "H W"] = np.zeros(clip.frames.shape[1:], np.bool_)
    sector[found.box.slices] = found.sector
    marks = np.asarray(_marks(clip.frames if frames is None else frames, sector) & sector)
    return sector & ~marks, marks


def _marks(
    frames: Iterable[UInt8[np.ndarray, "H W *C"]], sector: Bool[np.ndarray, "H W"]
) -> Bool[np.ndarray, "H W"]:
    """Mark letters, as the rectangles that they stand in, and lines.

    A letter that were made black by itself could still be read on bright tissue.
    """
    lowest = np.full(sector.shape, 255, np.uint8)
    highest = np.zeros(sector.shape, np.uint8)
    for frame in frames:
        level = frame.max(axis=2) if frame.ndim == 3 else frame
        np.minimum(lowest, level, out=lowest)
        np.maximum(highest, level, out=highest)
    swing = highest - lowest
    still = (lowest >= BRIGHT) & (swing <= np.clip(np.median(swing[sector]) / 4, *STILL))
    marks = np.zeros(still.shape, np.bool_)
    labels, count = ndimage.label(still, np.ones((3, 3)))
    if not count:
        return marks
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        if sizes[number] < FEWEST:
            continue
        around = (
            slice(max(rows.start - EDGE, 0), rows.stop + EDGE),
            slice(max(columns.start - EDGE, 0), columns.stop + EDGE),
        )
        if min(rows.stop - rows.start, columns.stop - columns.start) <= LETTER:
            marks[around] = True
        else:
            piece = labels[around] == number
            marks[around] |= ndimage.binary_dilation(piece, np.ones((3, 3)), EDGE)
    return marks
