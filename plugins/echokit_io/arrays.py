"""NumPy files `.npy` and `.npz`: frames, and label maps of their structures."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

from echokit import Clip, ClipError
from echokit_io.budget import Budget, Clock, check_rate, check_spacing
from echokit_io.clip_info import ClipInfo
from echokit_io.decoder_messages import muted_decoders
from echokit_io.frame_stream import Layout, grey_frames, read_values
from echokit_io.recognise import NPY, open_regular

BESIDE_FRAMES = frozenset({"fps", "spacing", "structures", "names", "synthetic"})
"""Members of an `.npz` that are not frames."""
SMALL = 65_536
"""Largest number of bytes of a member that is neither frames nor structures."""
MEMBERS = 64
"""Largest number of members of an `.npz`."""
LONGEST_HEADER = 10_000
"""Largest number of bytes of an array's header, as in NumPy; a damaged one can state 4 GiB."""


def examine(path: Path, budget: Budget) -> ClipInfo:
    """Check shape and type in the headers; reads no pixels.

    Raises:
        ClipError: the file is not a clip; the message is the reason.
    """
    with open_regular(path) as file:
        if file.read(len(NPY)) == NPY:
            file.seek(0)
            _check_frames(_npy_header(file), budget)
            return ClipInfo()
        file.seek(0)
        with _archive(file) as archive:
            headers = _npz_headers(archive)
            _check_frames(headers[_frames_of(headers)], budget)
            flags = _values(archive, headers, "synthetic")
    return ClipInfo(synthetic=bool(flags.any()))


def read(path: Path, budget: Budget) -> Clip:
    """Read frames (T, H, W) or RGB (T, H, W, 3), uint8 or float in [0, 1].

    An `.npz` holds them as `frames`, or as its only array, and may hold `fps`, `spacing` (mm per
    pixel: row, column), and `structures` (T, H, W) uint8 with `names`, label 1 first.

    Raises:
        ClipError: it cannot be read; the message is the reason.
    """
    clock = budget.start()
    with open_regular(path) as file:
        if file.read(len(NPY)) == NPY:
            file.seek(0)
            header = _npy_header(file)
            _check_frames(header, budget)
            try:
                return Clip(frames=grey_frames(file, header, clock))
            except ClipError:
                raise
            except ValueError as error:
                raise ClipError(f"it is damaged: {error}") from None
        file.seek(0)
        with _archive(file) as archive:
            return _read_npz(archive, budget, clock)


def read_structures(
    path: Path, shape: tuple[int, ...], budget: Budget
) -> tuple[UInt8[np.ndarray, "T H W"], tuple[str, ...]]:
    """Read the label map of a clip from an `.npz` of `structures` and `names`.

    Args:
        path: the `.npz`.
        shape: shape (T, H, W) of the clip's frames, which the label map must have too.
        budget: what reading may cost.

    Raises:
        ClipError: it cannot be read or does not fit the frames; the message is the reason.
    """
    try:
        with open_regular(path) as file, _archive(file) as archive:
            headers = _npz_headers(archive)
            if not {"structures", "names"} <= set(headers):
                raise ClipError(f"it holds {_listed(headers)}; needed are structures and names")
            return _structures(archive, headers, shape, budget.start())
    except ClipError as error:
        raise ClipError(f"its masks cannot be used: {error}") from None


def _read_npz(archive: zipfile.ZipFile, budget: Budget, clock: Clock) -> Clip:
    headers = _npz_headers(archive)
    name = _frames_of(headers)
    _check_frames(headers[name], budget)
    # what is small is checked first, so that nothing large is read in vain
    rates = _numbers(archive, headers, "fps", 1)
    fps = check_rate(rates[0], f"its fps is {rates[0]:g}") if rates else None
    spacing = _numbers(archive, headers, "spacing", 2)
    with _member(archive, name) as member:
        frames = grey_frames(member, _npy_header(member), clock)
    structures, names = None, tuple[str, ...]()
    if "structures" in headers:
        structures, names = _structures(archive, headers, frames.shape, clock)
    return Clip(
        frames=frames,
        fps=fps,
        spacing=check_spacing(*spacing) if spacing else None,
        structures=structures,
        structure_names=names,
    )


@contextmanager
def _archive(file: Any) -> Iterator[zipfile.ZipFile]:
    """Open an archive; whatever zipfile raises about a damaged one becomes the reason."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (ClipError, OSError, MemoryError):
        raise
    except Exception as error:  # a damaged archive makes zipfile and zlib raise almost anything
        raise ClipError(f"it is a damaged NumPy archive ({type(error).__name__})") from None


def _npy_header(file: Any) -> Layout:
    """Read shape and type of an array, and leave the file at its values."""
    try:
        # NumPy has no public function that reads the header of any version
        version = np.lib.format.read_magic(file)
        prefix = file.read(2 if version == (1, 0) else 4)
        length = int.from_bytes(prefix, "little")
        if length > LONGEST_HEADER:
            raise ClipError(f"its NumPy header states a length of {length} bytes: it is damaged")
        reader = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        with muted_decoders():
            shape, fortran, dtype = reader(BytesIO(prefix + file.read(length)))
    except (ClipError, OSError, MemoryError):
        raise
    except Exception as error:  # a damaged header makes NumPy's parser raise almost anything
        raise ClipError(f"its NumPy header is damaged ({type(error).__name__})") from None
    if any(abs(length) >= 2**63 for length in shape):
        raise ClipError("its NumPy header states a shape that no array has")
    return Layout(tuple(map(int, shape)), dtype, fortran)


def _npz_headers(archive: zipfile.ZipFile) -> dict[str, Layout]:
    """Read shape and type of every member of an archive."""
    names = archive.namelist()
    if len(names) > MEMBERS:
        raise ClipError(f"it holds {len(names)} arrays, more than {MEMBERS}")
    headers = {}
    for name in names:
        with archive.open(name) as member:
            headers[name.removesuffix(".npy")] = _npy_header(member)
    return headers


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    return archive.open(name if name in archive.namelist() else f"{name}.npy")


def _values(
    archive: zipfile.ZipFile, headers: Mapping[str, Layout], name: str
) -> Shaped[np.ndarray, "..."]:
    """Read a small member, an empty array if there is none."""
    if name not in headers:
        return np.zeros(0)
    if headers[name].bytes > SMALL:
        raise ClipError(f"its {name} has {headers[name].bytes:,} bytes, more than {SMALL:,}")
    if headers[name].dtype.hasobject:
        raise ClipError(f"its {name} holds pickled objects, which are never opened")
    with _member(archive, name) as member:
        return read_values(member, _npy_header(member))


def _frames_of(headers: Mapping[str, Layout]) -> str:
    """Find the name of the member that holds the frames."""
    arrays = [name for name in headers if name not in BESIDE_FRAMES]
    if "frames" in arrays:
        return "frames"
    if len(arrays) != 1:
        raise ClipError(f"it holds {_listed(headers) or 'nothing'}; name the clip `frames`")
    return arrays[0]


def _listed(headers: Mapping[str, Layout]) -> str:
    return ", ".join(name[:40] for name in headers)


def _check_frames(header: Layout, budget: Budget) -> None:
    shape, dtype = header.shape, header.dtype
    if dtype.hasobject:
        raise ClipError("it holds pickled objects, which are never opened; save plain numbers")
    if dtype != np.uint8 and dtype.kind != "f":
        raise ClipError(f"its values are {str(dtype)[:40]}; uint8, or floats in [0, 1], are read")
    grey = len(shape) == 3
    if not grey and not (len(shape) == 4 and shape[3] == 3):
        raise ClipError(f"its shape is {shape}; (T, H, W), or (T, H, W, 3) of RGB, is read")
    if min(shape) < 1:
        raise ClipError(f"its shape is {shape}: it is empty")
    if shape[0] < 2:
        raise ClipError("it has one frame: a still image, not a clip")
    channels = 1 if grey else 3
    # the values as stored count too: a megabyte of zip inflates to a gigabyte of them
    budget.check_clip(shape[0], shape[1], shape[2], channels * dtype.itemsize)


def _structures(
    archive: zipfile.ZipFile, headers: Mapping[str, Layout], shape: tuple[int, ...], clock: Clock
) -> tuple[UInt8[np.ndarray, "T H W"], tuple[str, ...]]:
    header = headers["structures"]
    if header.dtype != np.uint8 or header.shape != shape:
        raise ClipError(
            f"structures are {str(header.dtype)[:40]} {header.shape}; the frames need uint8 {shape}"
        )
    names = tuple(str(name) for name in _values(archive, headers, "names").ravel())
    clock.budget.check_memory(2 * header.bytes, "its frames and their structures are large")
    with _member(archive, "structures") as member:
        structures = grey_frames(member, _npy_header(member), clock)
    if int(structures.max()) > len(names):
        raise ClipError(f"structures go up to {structures.max()}, but {len(names)} are named")
    return structures, names


def _numbers(
    archive: zipfile.ZipFile, headers: Mapping[str, Layout], key: str, n: int
) -> tuple[float, ...]:
    """Return n positive numbers of a member; none if there is no such member."""
    if key not in headers:
        return ()
    values = _values(archive, headers, key).ravel()
    if values.dtype.kind not in "fiu" or len(values) != n or not (values > 0).all():
        raise ClipError(f"its {key} is {str(values[:4])[:80]}; {n} positive number(s) are needed")
    return tuple(float(value) for value in values)
