"""NIfTI files, if nibabel is installed."""

from __future__ import annotations

import gzip
import importlib.util
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

from echokit import Clip, ClipError
from echokit_io.budget import Budget, check_rate, check_spacing
from echokit_io.clip_info import ClipInfo
from echokit_io.decoder_messages import muted_decoders
from echokit_io.frame_stream import Layout, read_up_to
from echokit_io.recognise import open_regular

GZIP = b"\x1f\x8b"
HEADERS = {348: "Nifti1Header", 540: "Nifti2Header"}
"""Size that a header states -> its class in nibabel."""
FARTHEST = 1 << 24
"""Largest plausible number of bytes before the values: the header and its extensions."""
SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}
"""Code of a unit of time in `xyzt_units` -> seconds; other codes state no time."""
MILLIMETRES = {1: 1000.0, 2: 1.0, 3: 1e-3}
"""Code of a unit of length -> millimetres; 0 states no length."""


@dataclass(frozen=True, slots=True)
class _Image:
    """Header of an image that is a clip."""

    layout: Layout
    """Frames as they are stored: (T, Y, X)."""
    values_at: int
    """Byte offset of the values."""
    slope: float
    """What a stored value is multiplied by."""
    intercept: float
    """What is then added."""
    fps: float | None
    """Frames per second."""
    spacing: tuple[float, float] | None
    """Millimetres per pixel (row, column)."""


def examine(path: Path, budget: Budget) -> ClipInfo:
    """Check the shape in the header; reads no pixels.

    Raises:
        ClipError: the file is not a clip, or nibabel is not installed; the message is the reason.
    """
    with _opened(path) as file:
        _read_header(file, budget)
    return ClipInfo()


def read(path: Path, budget: Budget) -> Clip:
    """Read a clip stored as (X, Y, T): axis 1 becomes rows, axis 0 columns, the last axis time.

    Raises:
        ClipError: it cannot be read; the message is the reason.
    """
    clock = budget.start()
    with _opened(path) as file:
        image = _read_header(file, budget)
        count, size = image.layout.shape[0], image.layout.bytes // image.layout.shape[0]
        read_up_to(file, image.values_at, clock)
        frames: UInt8[np.ndarray, "T H W"] = np.empty(image.layout.shape, np.uint8)
        for index in range(count):
            data = read_up_to(file, size, clock)
            if len(data) < size:
                raise ClipError(f"it is truncated: {index} of its {count} frames are there")
            stored = np.frombuffer(data, image.layout.dtype).reshape(image.layout.shape[1:])
            frames[index] = _grey(stored, image)
    return Clip(frames=frames, fps=image.fps, spacing=image.spacing)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open the file at its first byte, unpacked if it is packed."""
    if importlib.util.find_spec("nibabel") is None:
        raise ClipError("it is NIfTI, which needs nibabel: pip install nibabel")
    with open_regular(path) as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        try:
            if not packed:
                yield file
                return
            with gzip.open(file) as unpacked:
                yield unpacked
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ClipError(f"it is a damaged NIfTI file ({type(error).__name__})") from None


def _read_header(file: Any, budget: Budget) -> _Image:
    """Read the header, and find its three axes that are longer than 1; the file is at its start."""
    start = file.read(4)
    orders = ((int.from_bytes(start, order), order) for order in ("little", "big"))
    kind = next((HEADERS[size] for size, _ in orders if size in HEADERS), None)
    file.seek(0)
    if kind is None:
        raise ClipError("its NIfTI header is damaged (it states no size that a header has)")
    header_class: Any = getattr(import_module("nibabel"), kind)
    try:
        with muted_decoders():
            header = header_class.from_fileobj(file, check=False)
            shape = tuple(int(n) for n in header.get_data_shape())
            dtype = np.dtype(header.get_data_dtype())
            slope, intercept = header.get_slope_inter()
            values_at = float(header["vox_offset"])
            pairs = header["magic"].item().startswith(b"ni")
            zooms = [float(zoom) for zoom in header["pixdim"][1:]]
            units = int(header["xyzt_units"])
    except OSError:
        raise
    except Exception as error:  # a damaged header makes nibabel raise almost anything
        raise ClipError(f"its NIfTI header is damaged ({type(error).__name__})") from None
    if pairs:
        raise ClipError("its values are in another file (.img); save both as one .nii")
    axes = [axis for axis, n in enumerate(shape) if n > 1]
    if len(axes) != 3 or min(shape) < 1:
        raise ClipError(f"its shape is {shape}; a loop of (X, Y, T) is read")
    if dtype.kind not in "uif":
        raise ClipError(f"its values are {str(dtype)[:40]}; plain numbers are read")
    columns, rows, frames = (shape[axis] for axis in axes)
    # the values as stored count too, because a packed file inflates to a thousand times its size
    budget.check_clip(frames, rows, columns, dtype.itemsize)
    if not 0 <= values_at <= FARTHEST:  # false where it is not a number
        raise ClipError(f"its values begin at byte {values_at:g}: its header is damaged")
    file.seek(0)
    layout = Layout((frames, rows, columns), dtype)
    scale = 1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept)
    column, row, time = (zooms[axis] for axis in axes)
    fps, spacing = _rate(time, units), _spacing(row, column, units)
    return _Image(layout, int(values_at), *scale, fps, spacing)


def _rate(time: float, units: int) -> float | None:
    """Return the frame rate; None if the file states no unit of time."""
    seconds = SECONDS.get(units & 0b111000)
    if seconds is None:
        return None
    stated = f"its time between frames is {time:g}"
    return check_rate(1 / (time * seconds) if time > 0 else math.nan, stated)


def _spacing(row: float, column: float, units: int) -> tuple[float, float] | None:
    """Return the pixel size in millimetres; None if the file states no unit of length."""
    scale = MILLIMETRES.get(units & 0b111)
    return None if scale is None else check_spacing(row * scale, column * scale)


def _grey(values: Shaped[np.ndarray, "H W"], image: _Image) -> UInt8[np.ndarray, "H W"]:
    """Convert stored values to grey levels 0-255."""
    if values.dtype == np.uint8 and (image.slope, image.intercept) == (1.0, 0.0):
        return values
    with np.errstate(all="ignore"):  # what is no number is refused below
        levels = values.astype(np.float64) * image.slope + image.intercept
    low, high = float(levels.min()), float(levels.max())
    if not 0 <= low <= high <= 255:  # false where any value is not a number
        raise ClipError(f"its values go from {low:g} to {high:g}; grey levels 0-255 are read")
    return np.rint(levels).astype(np.uint8)
