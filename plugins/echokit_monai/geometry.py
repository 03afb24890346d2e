"""Cropping and resizing: frames, sector and structures together, never one without the others."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import ceil, floor
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Shaped

from echokit import Box, Clip, Transform
from echokit_monai.bridge import as_tensor

Mode = Literal["bilinear", "nearest"]


def crop(clip: Clip, box: Box) -> Clip:
    """Cut a clip to a rectangle of its frames, and blacken what is outside its sector.

    Args:
        clip: frames of any type; region, sector, structures and box follow.
        box: rectangle of the clip's own frames, inside them.

    Returns:
        The smaller clip; its `box` is the rectangle in the source frame.
    """
    rows, columns = box.slices
    sector = None if clip.sector is None else clip.sector[rows, columns].copy()
    structures = clip.structures
    return replace(
        clip,
        frames=blacken(clip.frames[:, rows, columns], sector),
        sector=sector,
        structures=None if structures is None else blacken(structures[:, rows, columns], sector),
        region=None if clip.region is None else _overlap(clip.region, box),
        box=_in_source(clip, box),
    )


def blacken(
    frames: Shaped[np.ndarray, "T H W"], sector: Shaped[np.ndarray, "H W"] | None
) -> Shaped[np.ndarray, "T H W"]:
    """Copy frames with everything outside the sector set to 0; without a sector, just copy."""
    if sector is None:
        return frames.copy()
    black: Shaped[np.ndarray, "T H W"] = np.multiply(frames, sector, dtype=frames.dtype)
    return black


def _in_source(clip: Clip, box: Box) -> Box:
    """The rectangle of the source frame that a rectangle of the clip's frames shows."""
    if clip.box is None:
        return box
    rows = clip.box.height / clip.frames.shape[1]  # not 1 where the clip was resized
    columns = clip.box.width / clip.frames.shape[2]
    part = _scaled(box, rows, columns)
    return Box(clip.box.top + part.top, clip.box.left + part.left, part.height, part.width)


def _overlap(region: Box, box: Box) -> Box | None:
    """The region as seen from inside the box; None where they do not meet."""
    top, left = max(region.top - box.top, 0), max(region.left - box.left, 0)
    bottom = min(region.top + region.height - box.top, box.height)
    right = min(region.left + region.width - box.left, box.width)
    return Box(top, left, bottom - top, right - left) if bottom > top and right > left else None


def resize_transform(size: int, mode: Mode) -> Transform:
    """Make the transform that resizes a clip to `size` x `size` pixels."""
    return partial(_resize, size=size, mode=mode)


def _resize(clip: Clip, rng: torch.Generator, *, size: int, mode: Mode) -> Clip:
    del rng
    height, width = clip.frames.shape[1:]
    sector = clip.sector
    if sector is not None:
        sector = _resample(sector[None].view(np.uint8), size, "nearest")[0].view(np.bool_)
    structures = clip.structures
    if structures is not None:
        structures = _resample(structures, size, "nearest")
    spacing = clip.spacing
    if spacing is not None:
        spacing = (spacing[0] * height / size, spacing[1] * width / size)
    frames = _resample(clip.frames, size, mode)
    return replace(
        clip,
        frames=blacken(frames, sector),
        sector=sector,
        structures=structures,
        spacing=spacing,
        region=None if clip.region is None else _scaled(clip.region, size / height, size / width),
        # `None` would from now on mean a source frame of this size
        box=clip.box or Box(0, 0, height, width),
    )


def _resample(
    frames: Shaped[np.ndarray, "T H W"], size: int, mode: Mode
) -> Shaped[np.ndarray, "T size size"]:
    """Resize each frame without antialiasing, as OpenCV's `INTER_LINEAR` does (± 1 grey level).

    One frame at a time in float32: torch's own uint8 path takes four times as long and rounds
    twice, and MONAI's `Resize` takes fifteen times as long.
    """
    out: Shaped[np.ndarray, "T size size"] = np.empty((len(frames), size, size), frames.dtype)
    how = mode if mode == "bilinear" else "nearest-exact"
    for i, frame in enumerate(frames):
        image = F.interpolate(as_tensor(frame)[None, None].float(), (size, size), mode=how)[0, 0]
        out[i] = image.numpy() if frames.dtype == np.float32 else image.round_().numpy()
    return out


def _scaled(region: Box, rows: float, columns: float) -> Box:
    """The smallest whole-pixel rectangle that holds the scaled one."""
    top, left = floor(region.top * rows), floor(region.left * columns)
    bottom, right = (
        ceil((region.top + region.height) * rows),
        ceil((region.left + region.width) * columns),
    )
    return Box(top, left, bottom - top, right - left)
