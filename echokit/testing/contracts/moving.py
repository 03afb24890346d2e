"""Whether sector and structures move with the pixels.

A small patch of a clip is labelled and changed. Where the result differs is where the transform
took the patch, and there its structures and its sector must lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Bool
from scipy.ndimage import binary_dilation

from echokit.testing.clips import tiny_clip
from echokit.testing.contracts.rules import attempt, expect
from echokit.types import Clip

WIDEST = 0.6
"""Columns of the fan that are kept, as a share: so it is no mirror image of itself."""
SIDE, FRAMES = 9, 4
"""Rows and columns, and frames from the first, of a patch."""
DARK, BRIGHT = 0.1, 0.9
"""Grey level of a patch, before and after it is changed."""
LEAST = 0.01
"""Difference, as a share of the result's range, below which a patch has vanished."""
NEAR = 2
"""Pixels by which resampling and smoothing may spread a patch beyond its label."""


def check_moving(
    change: Callable[[Clip], Clip], dtype: Literal["uint8", "float32"], seed: int
) -> None:
    """Check one draw of a transform on patches at the rims of a fan.

    Args:
        change: the transform with a generator of the same state at each call.
        dtype: of the frames it takes.
        seed: of the draw, for the message.
    """
    for place in _places(_lopsided(dtype)):
        dark, bright = (_patched(_lopsided(dtype), place, level) for level in (DARK, BRIGHT))
        with attempt("Calling the transform on a clip with a bright patch"):
            one, other = change(dark), change(bright)
        _check_followed(one, other, seed)


def _check_followed(one: Clip, other: Clip, seed: int) -> None:
    if one.frames.shape != other.frames.shape:  # each was cut to what it shows
        return
    difference = np.abs(one.frames.astype(np.float64) - other.frames)
    if not np.isfinite(difference).all() or difference.max() <= LEAST * np.ptp(one.frames):
        return
    changed: Bool[np.ndarray, "T H W"] = difference >= difference.max() / 2
    known = {
        "structures": None if other.structures is None else other.structures > 0,
        "sector": None if other.sector is None else np.broadcast_to(other.sector, changed.shape),
    }
    for name, where in known.items():
        if where is not None:
            there = float((_widened(where) & changed).sum() / changed.sum())
            expect(
                there >= 0.5,
                f"A labelled patch within the sector was changed, and {1 - there:.0%} of what "
                f"differs in the result lies outside its {name} (seed {seed}): what moves pixels "
                f"moves `clip.{name}` with them, or sets it to None where it cannot.",
            )


def _lopsided(dtype: Literal["uint8", "float32"]) -> Clip:
    """A clip within a part of a fan that no turning or mirroring leaves alike."""
    clip = tiny_clip(dtype=dtype)
    assert clip.sector is not None
    sector = clip.sector.copy()
    sector[:, int(WIDEST * sector.shape[1]) :] = False
    return replace(clip, frames=clip.frames * sector, sector=sector, structures=None)


def _places(clip: Clip) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of a patch at the left and right rim of the sector, and near its apex."""
    assert clip.sector is not None
    whole = np.lib.stride_tricks.sliding_window_view(clip.sector, (SIDE, SIDE)).all(axis=(2, 3))
    rows, columns = np.nonzero(whole)
    for corner in (columns.argmin(), columns.argmax(), rows.argmin()):
        yield (
            slice(int(rows[corner]), int(rows[corner]) + SIDE),
            slice(int(columns[corner]), int(columns[corner]) + SIDE),
        )


def _patched(clip: Clip, place: tuple[slice, slice], level: float) -> Clip:
    frames = clip.frames.copy()
    where = (slice(FRAMES), *place)
    frames[where] = level * (255 if frames.dtype == np.uint8 else 1)
    structures = np.zeros(frames.shape, np.uint8)
    structures[where] = 1
    return replace(clip, frames=frames, structures=structures, structure_names=("patch",))


def _widened(where: Bool[np.ndarray, "T H W"]) -> Bool[np.ndarray, "T H W"]:
    wide: Bool[np.ndarray, "T H W"] = binary_dilation(where, np.ones((1, 3, 3)), iterations=NEAR)
    return wide
