"""Detection of a clip's scanning sector: the part of the picture that changes in time.

Tissue and even dark blood flicker from frame to frame; text, depth ticks, grey bars and buttons
stand still, and an ECG trace moves but is thin. The steps are: measure the temporal variation on a
few frames and every n-th pixel, remove thin objects, keep the largest connected piece ("living"
pixels), and fit a fan or rectangle around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from echokit import Box, Clip, ClipError, Transform
from echokit_monai.geometry import crop
from echokit_monai.outline import WEIGHT, Outline, fit_outline

if TYPE_CHECKING:
    import torch

STILL_FRAMES = 6
"""Frames, spread over the clip, in which what stands still is looked for."""
LONG_SIDE = 320
"""Pixels of the long side of the reduced picture in which the sector is searched for."""


def sector_transform(frames: int, smallest: float) -> Transform:
    """Make the transform that finds the sector, crops to it and blackens the rest."""
    return SectorStep(frames, smallest)


@dataclass(frozen=True, slots=True)
class SectorStep:
    """Finds the sector, crops to it and blackens the rest; see `echokit_monai.monai_sector`."""

    frames: int
    """Number of frames that are compared."""
    smallest: float
    """Smallest share of the searched picture that a sector may fill."""

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Prepare a whole clip."""
        count = len(clip.frames)
        return self._settled(clip, count, range(count))(clip, rng)

    def needed(self, length: int) -> list[int]:
        """Return the frames that the sector is found in."""
        return sorted({*_spread(length, self.frames), *_spread(length, STILL_FRAMES)})

    def settle(self, few: Clip, length: int) -> Transform:
        """Find the sector in those frames, and return the transform that crops any to it."""
        return self._settled(few, length, self.needed(length))

    def _settled(self, few: Clip, length: int, indices: Sequence[int]) -> Transform:
        if few.frames.dtype != np.uint8:
            raise ClipError(
                f"The sector is found in uint8 frames, and these are {few.frames.dtype}: "
                "put monai-sector first among the prepare steps."
            )
        sector = few.sector
        if sector is None:
            place = {index: n for n, index in enumerate(indices)}
            spread, apart = (
                [few.frames[place[index]] for index in _spread(length, count)]
                for count in (self.frames, STILL_FRAMES)
            )
            sector = _find_sector(spread, apart, few.region, self.smallest)
        return partial(_crop_to, sector=sector)


def _crop_to(clip: Clip, rng: torch.Generator, *, sector: Bool[np.ndarray, "H W"]) -> Clip:
    del rng
    if not sector.any():
        raise ClipError("The clip's sector is empty: there is nothing to crop to.")
    rows, columns = np.flatnonzero(sector.any(axis=1)), np.flatnonzero(sector.any(axis=0))
    height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    box = Box(int(rows[0]), int(columns[0]), height, width)
    return crop(replace(clip, sector=sector), box)


def find_sector(
    frames: UInt8[np.ndarray, "T H W"],
    region: Box | None = None,
    *,
    sampled: int = 24,
    smallest: float = 0.05,
) -> Bool[np.ndarray, "H W"]:
    """Find the scanning sector from the pixels.

    Args:
        frames: grey levels 0-255.
        region: the part of the frame to search in; None searches all of it.
        sampled: number of frames, spread over the clip, that the temporal variation is taken from.
        smallest: the smallest share of the searched area that a sector may fill.

    Returns:
        True inside the sector: a fan (apex up or down) or an upright rectangle.

    Raises:
        ClipError: no sector is found; the message is the reason.
    """
    spread, apart = ([frames[i] for i in _spread(len(frames), n)] for n in (sampled, STILL_FRAMES))
    return _find_sector(spread, apart, region, smallest)


def _spread(length: int, count: int) -> list[int]:
    """Return the indices of at most `count` frames, spread evenly over a clip."""
    indices: list[int] = np.linspace(0, length - 1, min(length, count)).round().astype(int).tolist()
    return indices


def _find_sector(
    spread: Sequence[UInt8[np.ndarray, "H W"]],
    apart: Sequence[UInt8[np.ndarray, "H W"]],
    region: Box | None,
    smallest: float,
) -> Bool[np.ndarray, "H W"]:
    """Find the sector from frames that tell what moves, and a few that tell what stands still."""
    height, width = spread[0].shape
    sector: Bool[np.ndarray, "H W"] = np.zeros((height, width), dtype=np.bool_)
    window = region if region is not None else Box(0, 0, height, width)
    step = max(1, -(-max(window.height, window.width) // LONG_SIDE))
    living, flicker = _living([frame[window.slices] for frame in spread], step)
    still = _still(np.stack([frame[window.slices] for frame in apart]), step, flicker)
    worth, overlay = _evidence(living & ~still, still)
    outline = fit_outline(worth)
    _check(outline, worth == WEIGHT, smallest)
    row = (np.arange(window.height, dtype=np.float32) / step)[:, None]
    column = (np.arange(window.width, dtype=np.float32) / step)[None, :]
    # text and ticks at the outline are cut out of the sector
    cut = overlay.repeat(step, axis=0).repeat(step, axis=1)[: window.height, : window.width]
    sector[window.slices] = outline.contains(row, column) & ~cut
    return sector


def _living(
    frames: Sequence[UInt8[np.ndarray, "H W"]], step: int
) -> tuple[Bool[np.ndarray, "h w"], float]:
    """Mark the pixels that change in time, in the picture of every `step`-th pixel.

    Returns:
        The marks, and the standard deviation (grey levels) above which a pixel was marked.
    """
    if len(frames) < 2:
        raise ClipError(
            "No sector found: the clip has one frame, and the sector is recognised by what changes "
            "between frames. Leave single frames out of the cohort."
        )
    small = np.stack([frame[::step, ::step] for frame in frames]).astype(np.float32)
    brightest = small.max(axis=0)
    if brightest.max() < 8:  # lossy video does not keep black at 0
        raise ClipError(
            "No sector found: the clip is black (its brightest grey level is "
            f"{brightest.max():.0f} of 255)."
        )
    deviation: Float[np.ndarray, "h w"] = small.std(axis=0)
    # lossy video flickers a little around text; the dimmest tissue varies a fiftieth as much as the
    # liveliest
    threshold = max(0.5, 0.02 * float(np.percentile(deviation, 99)))
    living: Bool[np.ndarray, "h w"] = (deviation > threshold) & (brightest >= 2)
    if not living.any():
        raise ClipError("No sector found: nothing moves, so this is a still picture, not a clip.")
    return living, threshold


def _still(
    chosen: UInt8[np.ndarray, "n H W"], step: int, flicker: float
) -> Bool[np.ndarray, "h w"]:
    """Mark bright pixels that stand still, such as text and ticks, and their blurred edges."""
    darkest, brightest = chosen.min(axis=0), chosen.max(axis=0)
    row, column = np.nonzero((darkest >= 40) & (brightest - darkest <= max(2.0, 2 * flicker)))
    still: Bool[np.ndarray, "h w"] = np.zeros(chosen[0, ::step, ::step].shape, dtype=np.bool_)
    # all pixels are examined: a tick may lie between the sampled ones
    still[row // step, column // step] = True
    return np.asarray(ndimage.binary_dilation(still, np.ones((3, 3))), dtype=np.bool_)


def _evidence(
    living: Bool[np.ndarray, "h w"], still: Bool[np.ndarray, "h w"]
) -> tuple[Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Weigh each pixel for the fit, by the largest solid piece of living pixels.

    Returns:
        The weight of each pixel in the score of an outline around it; and a mask of text and
        ticks, except among living pixels, where a still bright spot may be tissue.
    """
    radius = max(2, round(0.01 * max(living.shape)))  # wider than a trace or a letter's stroke
    down, right = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disc = down * down + right * right <= radius * radius + 0.5
    margin = 4 * radius
    # padded, because closing would otherwise erode the sector at the border of the picture
    solid = ndimage.binary_closing(np.pad(living, margin), disc)
    # opening removes thin objects, above all an ECG trace
    labels, count = ndimage.label(ndimage.binary_opening(solid, disc))
    if count == 0:
        raise ClipError(
            "No sector found: only thin lines or single pixels move, as a trace or a clock does."
        )
    sizes = np.bincount(labels.ravel())
    piece = ndimage.binary_fill_holes(labels == 1 + int(sizes[1:].argmax()))
    piece = piece[margin:-margin, margin:-margin]
    deep = ndimage.distance_transform_edt(piece) > 2 * radius
    near = ndimage.distance_transform_edt(~piece) <= margin
    # near the border lie thin near-field speckle, and a trace that the closing joined to the piece;
    # speckle fills a third of its neighbourhood or more, a trace less
    density = ndimage.uniform_filter(living.astype(np.float32), 2 * radius + 1, mode="nearest")
    dense = piece & (deep | (density > 0.45))
    overlay = still & ~deep & (density < 0.6)
    worth = np.select([overlay, dense, living & near], [-WEIGHT, WEIGHT, 2.0], -1.0)
    return worth, np.asarray(overlay)


def _check(outline: Outline, alive: Bool[np.ndarray, "h w"], smallest: float) -> None:
    """Refuse an outline that is too small or does not fit the living pixels."""
    row, column = np.ogrid[: alive.shape[0], : alive.shape[1]]
    inside = outline.contains(row.astype(float), column.astype(float))
    area, living = int(inside.sum()), int((inside & alive).sum())
    if area < smallest * alive.size:
        raise ClipError(
            f"No sector found: the moving area fills {area / alive.size:.1%} of the picture, and a "
            f"sector fills {smallest:.0%} or more (option smallest={smallest})."
        )
    if living < 0.6 * area or living < 0.85 * int(alive.sum()):
        raise ClipError(
            "No sector found: the moving area has neither the shape of a fan nor of a rectangle "
            f"(it fills {living / area:.0%} of the best fit, which contains "
            f"{living / alive.sum():.0%} of it)."
        )
