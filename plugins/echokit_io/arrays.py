"""NumPy files `.npy` and `.npz`: frames, and label maps of their structures."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

from echokit import Clip, ClipError
from echokit_io.clip_info import LARGEST, ClipInfo
from echokit_io.decoder_messages import muted_decoders
from echokit_io.grey_levels import luma
from echokit_io.recognise import NPY, open_regular

BESIDE_FRAMES = frozenset({"fps", "spacing", "structures", "names", "synthetic"})
"""Members of an `.npz` that are not frames."""


def examine(path: Path) -> ClipInfo:
    """Check shape and type in the headers; reads no pixels.

    Raises:
        ClipError: the file is not a clip; the message is the reason.
    """
    if _is_npy(path):
        with open_regular(path) as file:
            _check_frames(_npy_header(file))
        return ClipInfo()
    headers = _npz_headers(path)
    _check_frames(headers[_frames_of(headers)])
    flags = _load(path, {"synthetic"} & set(headers))
    return ClipInfo(synthetic=any(bool(flag.any()) for flag in flags.values()))


def read(path: Path) -> Clip:
    """Read frames (T, H, W) or RGB (T, H, W, 3), uint8 or float in [0, 1].

    An `.npz` holds them as `frames`, or as its only array, and may hold `fps`, `spacing` (mm per
    pixel: row, column), and `structures` (T, H, W) uint8 with `names`, label 1 first.

    Raises:
        ClipError: it cannot be read; the message is the reason.
    """
    examine(path)
    return Clip(frames=_read_npy(path)) if _is_npy(path) else _read_npz(path)


def read_structures(
    path: Path, shape: tuple[int, ...]
) -> tuple[UInt8[np.ndarray, "T H W"], tuple[str, ...]]:
    """Read the label map of a clip from an `.npz` of `structures` and `names`.

    Args:
        path: the `.npz`.
        shape: shape (T, H, W) of the clip's frames, which the label map must have too.

    Raises:
        ClipError: it cannot be read or does not fit the frames; the message is the reason.
    """
    try:
        headers = _npz_headers(path)
        if not {"structures", "names"} <= set(headers):
            raise ClipError(f"it holds {', '.join(headers)}; needed are structures and names")
        return _structures(_load(path, {"structures", "names"}), shape)
    except ClipError as error:
        raise ClipError(f"its masks {path.name} cannot be used: {error}") from None


def _is_npy(path: Path) -> bool:
    with open_regular(path) as file:
        return file.read(len(NPY)) == NPY


def _read_npy(path: Path) -> UInt8[np.ndarray, "T H W"]:
    with open_regular(path) as file:
        try:
            # unpickling could run code
            return _grey(np.lib.format.read_array(file, allow_pickle=False))
        except (ValueError, EOFError, MemoryError) as error:
            raise ClipError(f"it is truncated or damaged: {error}") from None


def _read_npz(path: Path) -> Clip:
    headers = _npz_headers(path)
    name = _frames_of(headers)
    arrays = _load(path, {name, *BESIDE_FRAMES} & set(headers))
    frames = _grey(arrays[name])
    structures, names = _structures(arrays, frames.shape) if "structures" in arrays else (None, ())
    rate, spacing = (_positive(arrays, key, n) for key, n in (("fps", 1), ("spacing", 2)))
    return Clip(
        frames=frames,
        fps=rate[0] if rate else None,
        spacing=(spacing[0], spacing[1]) if spacing else None,
        structures=structures,
        structure_names=names,
    )


@dataclass(frozen=True, slots=True)
class _ArrayHeader:
    """Shape and type of an array, read without its values."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _npy_header(file: Any) -> _ArrayHeader:
    """Read shape and type of an array."""
    try:
        # NumPy has no public function that reads the header of any version
        version = np.lib.format.read_magic(file)
        reader = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        with muted_decoders():
            shape, _, dtype = reader(file)
    except Exception as error:  # a damaged header makes NumPy's parser raise almost anything
        raise ClipError(f"its NumPy header is damaged ({type(error).__name__})") from None
    return _ArrayHeader(shape, dtype)


def _npz_headers(path: Path) -> dict[str, _ArrayHeader]:
    """Read shape and type of every member of an archive."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            headers = {}
            for name in archive.namelist():
                with archive.open(name) as member:
                    headers[name.removesuffix(".npy")] = _npy_header(member)
            return headers
    except ClipError:
        raise
    except Exception as error:  # a damaged archive makes zipfile raise almost anything
        raise ClipError(f"it is a damaged NumPy archive ({type(error).__name__})") from None


def _load(path: Path, names: set[str]) -> dict[str, Shaped[np.ndarray, "..."]]:
    try:
        with open_regular(path) as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except ClipError:
        raise
    except Exception as error:  # damaged members make zipfile and zlib raise almost anything
        raise ClipError(f"it is a damaged NumPy archive ({type(error).__name__})") from None


def _frames_of(headers: Mapping[str, _ArrayHeader]) -> str:
    """Find the name of the member that holds the frames."""
    arrays = [name for name in headers if name not in BESIDE_FRAMES]
    if "frames" in arrays:
        return "frames"
    if len(arrays) != 1:
        raise ClipError(f"it holds {', '.join(headers) or 'nothing'}; name the clip `frames`")
    return arrays[0]


def _check_frames(header: _ArrayHeader) -> None:
    shape, dtype = header.shape, header.dtype
    if dtype.hasobject:
        raise ClipError("it holds pickled objects, which are never opened; save plain numbers")
    if dtype != np.uint8 and dtype.kind != "f":
        raise ClipError(f"its values are {dtype}; uint8, or floats in [0, 1], are read")
    grey = len(shape) == 3
    if not grey and not (len(shape) == 4 and shape[3] == 3):
        raise ClipError(f"its shape is {shape}; (T, H, W), or (T, H, W, 3) of RGB, is read")
    if min(shape) < 1:
        raise ClipError(f"its shape is {shape}: it is empty")
    if shape[0] < 2:
        raise ClipError("it has one frame: a still image, not a clip")
    if shape[0] * shape[1] * shape[2] > LARGEST:
        raise ClipError(f"its shape is {shape}: that is more than {LARGEST >> 30} GiB")


def _grey(frames: Shaped[np.ndarray, "T H W *C"]) -> UInt8[np.ndarray, "T H W"]:
    """Convert frames to grey levels 0-255."""
    if frames.dtype.kind == "f":
        low, high = float(frames.min()), float(frames.max())
        if not 0 <= low <= high <= 1:  # false where any value is not a number
            raise ClipError(f"its floats go from {low:g} to {high:g}; scale them to [0, 1]")
        frames = np.rint(frames * 255).astype(np.uint8)
    if frames.ndim == 4:
        return np.stack([luma(frame) for frame in frames])
    return np.ascontiguousarray(frames)


def _structures(
    arrays: dict[str, Shaped[np.ndarray, "..."]], shape: tuple[int, ...]
) -> tuple[UInt8[np.ndarray, "T H W"], tuple[str, ...]]:
    structures = arrays["structures"]
    names = tuple(str(name) for name in np.atleast_1d(arrays.get("names", np.array([], "U1"))))
    if structures.dtype != np.uint8 or structures.shape != shape:
        raise ClipError(
            f"structures are {structures.dtype} {structures.shape}; the frames need uint8 {shape}"
        )
    if int(structures.max()) > len(names):
        raise ClipError(f"structures go up to {structures.max()}, but {len(names)} are named")
    return structures, names


def _positive(arrays: dict[str, Shaped[np.ndarray, "..."]], key: str, n: int) -> tuple[float, ...]:
    """Return n positive numbers of a member; none if there is no such member."""
    if key not in arrays:
        return ()
    values = arrays[key].ravel()
    if values.dtype.kind not in "fiu" or len(values) != n or not (values > 0).all():
        raise ClipError(f"its {key} is {values.tolist()}; {n} positive number(s) are needed")
    return tuple(float(value) for value in values)
