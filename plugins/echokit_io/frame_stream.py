"""Frames that a file stores one after another, made grey while they are read.

Only the grey clip and one frame are in memory, whatever type the file stores, and a file that ends
early, or never, costs no more than its header states.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

from echokit import ClipError
from echokit_io.budget import Clock
from echokit_io.grey_levels import luma

BLOCK = 1 << 20
"""Bytes that are read at once."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Shape and type of an array, read without its values."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool = False
    """True if the first axis changes fastest."""

    @property
    def bytes(self) -> int:
        """Number of bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_up_to(file: Any, count: int, clock: Clock | None = None) -> bytearray:
    """Read a number of bytes block by block, fewer if the file ends before.

    Raises:
        ClipError: the clip's time is over.
    """
    data = bytearray()
    while len(data) < count:
        block = file.read(min(BLOCK, count - len(data)))
        if not block:
            break
        data += block
        if clock is not None:
            clock.check()
    return data


def read_values(file: Any, layout: Layout) -> Shaped[np.ndarray, "..."]:
    """Read all values of an array, which must be small.

    Raises:
        ValueError: the file ends before.
    """
    values = np.frombuffer(read_up_to(file, layout.bytes), layout.dtype)
    return values.reshape(layout.shape, order="F" if layout.fortran else "C")


def grey_frames(file: Any, layout: Layout, clock: Clock) -> UInt8[np.ndarray, "T H W"]:
    """Read frames (T, H, W) or (T, H, W, 3) as grey levels 0-255.

    Raises:
        ClipError: the file ends early, its time is over, or floats are outside [0, 1].
    """
    shape = layout.shape
    grey = np.empty(shape[:3], np.uint8)
    if layout.fortran:  # no frame lies in one piece
        clock.budget.check_memory(
            layout.bytes + grey.nbytes, "its array is in Fortran order, and is read whole"
        )
        data = read_up_to(file, layout.bytes, clock)
        if len(data) < layout.bytes:
            raise ClipError(f"it is truncated: {len(data):,} of {layout.bytes:,} bytes are there")
        whole = np.frombuffer(data, layout.dtype).reshape(shape, order="F")
        for index in range(shape[0]):
            grey[index] = _grey(whole[index])
        return grey
    size = layout.bytes // shape[0]
    for index in range(shape[0]):
        data = read_up_to(file, size, clock)
        if len(data) < size:
            raise ClipError(f"it is truncated: {index} of its {shape[0]} frames are there")
        grey[index] = _grey(np.frombuffer(data, layout.dtype).reshape(shape[1:]))
    return grey


def _grey(frame: Shaped[np.ndarray, "H W *C"]) -> UInt8[np.ndarray, "H W"]:
    """Convert a frame to grey levels 0-255."""
    if frame.dtype.kind == "f":
        low, high = float(frame.min()), float(frame.max())
        if not 0 <= low <= high <= 1:  # false where any value is not a number
            raise ClipError(f"its floats go from {low:g} to {high:g}; scale them to [0, 1]")
        frame = np.rint(frame * 255).astype(np.uint8)
    return luma(frame) if frame.ndim == 3 else np.ascontiguousarray(frame)
