"""Draw saliency over grey frames: colour where it is high, the grey frame where it is low."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from echokit.errors import UsageError
from echokit.types import Box

LOW, HIGH, OPACITY = 0.15, 0.75, 0.8
"""Saliency below `LOW` is not drawn; above `HIGH` it is drawn with full `OPACITY`."""


@cache
def palette() -> UInt8[np.ndarray, "256 3"]:
    """Return the colours of saliency 0 to 1: the colour map 'inferno' without its black.

    It is perceptually uniform: its lightness rises evenly, so that it is readable for colour-blind
    readers and in grey print.
    """
    import matplotlib  # not at the top: a prediction without saliency does not need it

    colours = matplotlib.colormaps["inferno"](np.linspace(0.25, 1.0, 256))[:, :3]
    table: UInt8[np.ndarray, "256 3"] = np.round(colours * 255).astype(np.uint8)
    return table


def overlay(
    frame: UInt8[np.ndarray, "H W"], saliency: Float[np.ndarray, "H W"]
) -> UInt8[np.ndarray, "H W 3"]:
    """Colour a frame by its saliency in [0, 1], which has the size of the frame."""
    grey = np.repeat(frame[..., None], 3, axis=2).astype(np.float32)
    ramp = np.clip((saliency - LOW) / (HIGH - LOW), 0, 1)
    alpha = (OPACITY * ramp * ramp * (3 - 2 * ramp))[..., None]  # no visible edge at either end
    colour = palette()[np.round(np.clip(saliency, 0, 1) * 255).astype(np.intp)]
    mixed: UInt8[np.ndarray, "H W 3"] = np.round(grey * (1 - alpha) + colour * alpha).astype(
        np.uint8
    )
    return mixed


def place(
    saliency: Float[np.ndarray, "h w"],
    shape: tuple[int, int],
    box: Box | None = None,
    sector: Bool[np.ndarray, "rows columns"] | None = None,
) -> Float[np.ndarray, "H W"]:
    """Resize a saliency map to its place in a frame, smoothly (bicubic).

    Args:
        saliency: values in [0, 1], at any resolution.
        shape: rows and columns of the frame.
        box: rectangle of the frame that the map covers; None means the whole frame.
        sector: True inside the scanning sector, of the rectangle that the map covers, at any
            resolution; None masks nothing.

    Returns:
        Values in [0, 1]; 0 outside the box and outside the sector.

    Raises:
        UsageError: the box does not lie within the frame.
    """
    box = box or Box(0, 0, *shape)
    check_box(box, shape)
    result = np.zeros(shape, np.float32)
    size = (box.width, box.height)
    values = Image.fromarray(np.ascontiguousarray(saliency, np.float32))
    patch = np.asarray(values.resize(size, Image.Resampling.BICUBIC))
    if sector is not None:
        # enlarged smoothly and cut in the middle, so that the edge of a small mask has no steps
        mask = Image.fromarray(np.ascontiguousarray(sector, np.float32))
        patch = patch * (np.asarray(mask.resize(size, Image.Resampling.BILINEAR)) > 0.5)
    result[box.slices] = np.clip(patch, 0, 1)
    return result


def check_box(box: Box, shape: tuple[int, int]) -> None:
    """Check that a rectangle lies within a frame.

    Raises:
        UsageError: it does not.
    """
    inside = box.top >= 0 and box.left >= 0 and box.height > 0 and box.width > 0
    if not inside or box.top + box.height > shape[0] or box.left + box.width > shape[1]:
        raise UsageError(
            f"{box} does not lie within a frame of {shape[0]} × {shape[1]} pixels; give the "
            "rectangle of the source frame that the saliency covers, or box=None for all of it."
        )
