"""Histogram equalisation of uint8 frames, frame by frame (paper, section 2.2)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, UInt8

from echokit import Clip, ClipError, Transform
from echokit_monai.stepwise import FrameByFrame
from echokit_monai.threads import each_frame

if TYPE_CHECKING:
    import torch

Within = Literal["frame", "sector"]


def equalise_transform(within: Within) -> Transform:
    """Make the transform that equalises each frame's histogram."""
    return FrameByFrame(partial(_equalise, within=within))


def _equalise(clip: Clip, rng: torch.Generator, *, within: Within) -> Clip:
    del rng
    if clip.frames.dtype != np.uint8:
        raise ClipError(
            f"Histograms are equalised on uint8 frames, and these are {clip.frames.dtype}: list "
            "monai-equalise under [prepare], before frames become floats."
        )
    if within == "frame":
        return replace(clip, frames=equalise(clip.frames))
    if clip.sector is None:
        raise ClipError(
            "within='sector' needs the clip's sector, and no step before has found it: list "
            "monai-sector before monai-equalise, or use within='frame'."
        )
    return replace(clip, frames=equalise(clip.frames, clip.sector))


def equalise(
    frames: UInt8[np.ndarray, "T H W"], sector: Bool[np.ndarray, "H W"] | None = None
) -> UInt8[np.ndarray, "T H W"]:
    """Equalise the histogram of every frame to the range 0-255.

    Without a sector the result equals that of OpenCV's `equalizeHist` bit for bit; a frame of a
    single grey level is not changed.

    Args:
        frames: grey levels 0-255.
        sector: the pixels that are counted, with 0 returned outside; None counts all pixels.

    Returns:
        New frames of the same shape.
    """
    out = np.empty_like(frames)

    def equalise_frame(i: int) -> None:
        counted = frames[i] if sector is None else frames[i][sector]
        np.take(_levels(np.bincount(counted.ravel(), minlength=256)), frames[i], out=out[i])

    each_frame(equalise_frame, len(frames), frames.size)
    return out if sector is None else np.multiply(out, sector, dtype=np.uint8)


def _levels(histogram: np.ndarray) -> UInt8[np.ndarray, " 256"]:
    """Compute the new grey level of each of the 256 old ones."""
    first = int((histogram > 0).argmax())
    rest = int(histogram.sum()) - int(histogram[first])
    if rest == 0:
        return np.arange(256, dtype=np.uint8)
    # float32 as in OpenCV: float64 would round some levels the other way
    scale = np.float32(255) / np.float32(rest)
    above = (np.cumsum(histogram) - histogram[first]).astype(np.float32)
    above[:first] = 0
    levels: UInt8[np.ndarray, " 256"] = np.rint(above * scale).clip(0, 255).astype(np.uint8)
    return levels
