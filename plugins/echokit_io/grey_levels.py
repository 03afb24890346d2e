"""Conversion of stored pixel values to grey levels 0-255."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from echokit import ClipError
from echokit_io.dicom_values import number, text


def luma(rgb: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W"]:
    """Compute the luma of RGB, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), as YCbCr stores it."""
    from PIL import Image  # not needed for grey clips

    return np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).convert("L"))


def to_uint8(levels: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Round grey levels 0.0-255.0 to whole ones."""
    return np.asarray(np.rint(levels), np.uint8)


def full_range() -> UInt8[np.ndarray, "256"]:
    """Make the table that expands studio luma, 16 (black) to 235 (white), to 0-255."""
    levels = (np.arange(256) - 16) * (255 / 219)  # ITU-R BT.601: 219 steps from black to white
    return to_uint8(levels.clip(0, 255))


def to_plane(
    frame: Shaped[np.ndarray, "..."], photometric: str, stored: int
) -> Shaped[np.ndarray, "H W"]:
    """Reduce a frame to one value per pixel: the luma of colours, or its only channel.

    Args:
        frame: (H, W) or (H, W, 3), as decoded.
        photometric: photometric interpretation: RGB, or YBR, whose first channel is luma.
        stored: number of bits that a value uses.
    """
    if frame.ndim == 2:
        return frame
    if stored > 8:
        frame = frame >> (stored - 8)  # keeps the 8 most significant bits
    channels: UInt8[np.ndarray, "H W C"] = frame.astype(np.uint8, copy=False)
    return channels[..., 0] if photometric.startswith("YBR") else luma(channels)


def palette(tags: Any) -> UInt8[np.ndarray, " levels"]:
    """Compute the grey level of each entry of the colour palette.

    Raises:
        ClipError: the palette is missing or damaged.
    """
    from pydicom.pixels.processing import apply_color_lut  # not needed for NumPy and video

    codes = np.arange(2 ** int(number(tags, "BitsAllocated") or 8))
    codes = codes.astype(np.uint8 if len(codes) == 256 else np.uint16)
    try:
        colours = apply_color_lut(codes[None], tags)[0]
    except Exception as error:  # a damaged palette makes pydicom raise almost anything
        raise ClipError(
            f"its colour palette is missing or damaged ({type(error).__name__})"
        ) from None
    if colours.max() > 255:  # the usual palette has 16 bits; some scanners store 8 in them
        colours = colours >> 8
    levels: UInt8[np.ndarray, " levels"] = luma(colours[None, :, :3].astype(np.uint8))[0]
    return levels


def monochrome(
    tags: Any, frames: Shaped[np.ndarray, "T H W"]
) -> UInt8[np.ndarray, " levels"] | None:
    """Compute the grey level of each stored value; None if the values are grey levels already.

    Values of 8 bits are not changed, values of fewer bits are spread over 0-255. Values of more
    bits pass through the first window (PS3.3 C.11.2.1.2.1, after the modality rescale); without a
    window the darkest value of the clip becomes black and the brightest white, but for a few hot or
    dead pixels. MONOCHROME1 is inverted.
    """
    allocated, stored = frames.dtype.itemsize * 8, int(number(tags, "BitsStored") or 8)
    invert = text(tags, "PhotometricInterpretation") == "MONOCHROME1"
    if frames.dtype == np.uint8 and stored == 8 and not invert:
        return None
    values = np.arange(2**allocated).astype(f"u{frames.dtype.itemsize}").view(frames.dtype)
    levels = values.astype(np.float64)
    if allocated == 8:
        low, high = levels.min() * (stored == 8), 2.0**stored - 1
        low, high = (low, high) if frames.dtype == np.uint8 else (-128.0, 127.0)
    else:
        levels, low, high = _window(tags, levels, frames)
    scaled = ((levels - low) / max(high - low, 1e-9)).clip(0, 1)
    return to_uint8((1 - scaled if invert else scaled) * 255)


def _window(
    tags: Any, levels: np.ndarray, frames: Shaped[np.ndarray, "T H W"]
) -> tuple[np.ndarray, float, float]:
    """Return the rescaled values, the value shown black and the value shown white."""
    slope, intercept = number(tags, "RescaleSlope") or 1.0, number(tags, "RescaleIntercept") or 0.0
    centre, width = number(tags, "WindowCenter"), number(tags, "WindowWidth")
    levels = levels * slope + intercept
    if centre is None or width is None or width <= 1:
        ends = [value * slope + intercept for value in _range(frames)]
        return levels, min(ends), max(ends)
    return levels, centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2


FEW = 1e-3
"""Share of a clip's pixels that may be hot, and that may be dead."""
FAR = 2.0
"""Ratio of the whole range to that of all other pixels from which on a few pixels are faulty."""


def _range(frames: Shaped[np.ndarray, "T H W"]) -> tuple[float, float]:
    """Return the darkest and the brightest value, without a few that lie far from all others."""
    lowest, highest = int(frames.min()), int(frames.max())
    counts = np.zeros(highest - lowest + 1, np.int64)
    for frame in frames:  # numpy makes every value of a frame a whole integer
        counts += np.bincount((frame.astype(np.int64) - lowest).ravel(), minlength=len(counts))
    below = counts.cumsum()
    few = FEW * below[-1]
    low = lowest + int(np.searchsorted(below, few, side="right"))
    high = lowest + int(np.searchsorted(below, below[-1] - few))
    if highest - lowest <= FAR * (high - low):
        return lowest, highest
    # one end alone may be faulty: the other stays as it is
    return (
        low if low - lowest > high - low else lowest,
        high if highest - high > high - low else highest,
    )
