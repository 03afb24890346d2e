"""NIfTI files, if nibabel is installed."""

from __future__ import annotations

import importlib.util
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from echokit import Clip, ClipError
from echokit_io.clip_info import LARGEST, ClipInfo
from echokit_io.decoder_messages import muted_decoders


def examine(path: Path) -> ClipInfo:
    """Check the shape in the header; reads no pixels.

    Raises:
        ClipError: the file is not a clip, or nibabel is not installed; the message is the reason.
    """
    _open(path)
    return ClipInfo()


def read(path: Path) -> Clip:
    """Read a clip stored as (X, Y, T): axis 1 becomes rows, axis 0 columns, the last axis time.

    Raises:
        ClipError: it cannot be read; the message is the reason.
    """
    image, axes = _open(path)
    try:
        values: Shaped[np.ndarray, "..."] = np.asanyarray(image.dataobj).squeeze()
    except Exception as error:  # a damaged file makes nibabel, gzip and zlib raise almost anything
        raise ClipError(f"it is a damaged NIfTI file ({type(error).__name__})") from None
    if values.dtype != np.uint8:
        low, high = float(values.min()), float(values.max())
        if not 0 <= low <= high <= 255:
            raise ClipError(f"its values go from {low:g} to {high:g}; grey levels 0-255 are read")
        values = np.rint(values).astype(np.uint8)
    zooms = [float(image.header.get_zooms()[axis]) for axis in axes]
    unit, clock = image.header.get_xyzt_units()
    known = unit == "mm" and min(zooms[:2]) > 0
    seconds = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}.get(clock, 0.0) * zooms[2]
    return Clip(
        frames=np.ascontiguousarray(values.transpose(2, 1, 0)),
        fps=1 / seconds if seconds > 5e-4 else None,  # at most 2000 frames per second
        spacing=(zooms[1], zooms[0]) if known else None,
    )


def _open(path: Path) -> tuple[Any, list[int]]:
    """Open the image, and find its three axes that are longer than 1."""
    if importlib.util.find_spec("nibabel") is None:
        raise ClipError("it is NIfTI, which needs nibabel: pip install nibabel")
    nibabel = import_module("nibabel")
    try:
        with muted_decoders():
            image: Any = nibabel.load(path)
            image.header.get_xyzt_units()  # raises where the code of a unit is unknown
        shape = tuple(int(n) for n in image.shape)
    except Exception as error:  # a damaged header makes nibabel raise almost anything
        raise ClipError(f"its NIfTI header is damaged ({type(error).__name__})") from None
    axes = [axis for axis, n in enumerate(shape) if n > 1]
    if len(axes) != 3:
        raise ClipError(f"its shape is {shape}; a loop of (X, Y, T) is read")
    if np.prod([float(n) for n in shape]) > LARGEST:
        raise ClipError(f"its shape is {shape}: that is more than {LARGEST >> 30} GiB")
    return image, axes
