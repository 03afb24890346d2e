"""What decoding the pixels of a DICOM clip takes, asked before anything is decoded."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any, BinaryIO

from pydicom.encaps import generate_frames

from echokit import ClipError
from echokit_io.budget import Budget, Clock
from echokit_io.dicom_header import Header
from echokit_io.dicom_values import number
from echokit_io.threads import THREADS

JPEG_2000 = frozenset(f"1.2.840.10008.1.2.4.{end}" for end in (90, 91, 92, 93, 201, 202, 203))
"""Transfer syntaxes whose decoder computes with 32 bits for each sample."""
SAMPLE_OF_JPEG_2000 = 16
"""Bytes that openjpeg takes for each sample of a frame."""
SLACK = 1 << 20
"""Bytes by which a compressed frame may be larger than an uncompressed one, such as its tables."""
SCANS = 64
"""Largest number of scans of a JPEG: each of them costs the time of a whole picture."""
_SIZE_OF_2000 = b"\xff\x4f\xff\x51"
"""Start of a JPEG 2000 code stream, and the marker of its size."""
_NO_SIZE = frozenset((0xC4, 0xC8, 0xCC))
"""JPEG markers between C0 and CF that state no size."""


def check_cost(file: BinaryIO, header: Header, budget: Budget) -> None:
    """Refuse a clip that takes more memory than is allowed, by its header.

    Raises:
        ClipError: it does.
    """
    size = frame_bytes(header)
    samples = int(number(header.tags, "SamplesPerPixel") or 1)
    deep = samples == 1 and int(number(header.tags, "BitsAllocated") or 8) == 16
    pixels = header.rows * header.columns
    workspace = (
        SAMPLE_OF_JPEG_2000 * samples * pixels
        if header.syntax in JPEG_2000
        else 4 * size + 2 * THREADS * pixels * header.syntax.is_encapsulated
    )
    unpacked = file.seek(0, 2) if isinstance(file, BytesIO) else 0
    # stored values of 16 bits, then their grey levels
    budget.check_clip(
        header.frames, header.rows, header.columns, 3.0 if deep else 1.0, workspace + unpacked
    )


def frame_bytes(header: Header) -> int:
    """Compute the size of an uncompressed frame in bytes."""
    samples = int(number(header.tags, "SamplesPerPixel") or 1)
    bits = int(number(header.tags, "BitsAllocated") or 8)
    return header.rows * header.columns * samples * bits // 8


def check_encoded(file: BinaryIO, header: Header, clock: Clock) -> None:
    """Compare every compressed frame with the header; decodes none.

    A decoder allocates what the frame itself states.

    Raises:
        ClipError: a frame states another size, or is larger than uncompressed; or the clip's time
            is over.
    """
    largest = 2 * frame_bytes(header) + SLACK
    _check_fragments(file, header, largest, clock)
    index = 0
    try:
        for index, data in enumerate(encoded_frames(file, header), start=1):
            check_frame(data, header, f"frame {index} of {header.frames}", largest)
            clock.check(f"{index} of {header.frames} frames")
            if index == header.frames:
                return
    except (ClipError, OSError, MemoryError):
        raise
    except Exception as error:  # damaged tables of frames make pydicom raise almost anything
        raise ClipError(
            f"frame {index + 1} of {header.frames} cannot be found ({type(error).__name__}): it is "
            "damaged"
        ) from None


def encoded_frames(file: BinaryIO, header: Header) -> Any:
    """Return the compressed frames one by one."""
    file.seek(header.pixels_at)
    extended = [header.tags.get(f"ExtendedOffsetTable{end}") for end in ("", "Lengths")]
    return generate_frames(
        file,
        number_of_frames=header.frames,
        extended_offsets=(extended[0], extended[1]) if all(extended) else None,
    )


def check_frame(data: bytes, header: Header, name: str, largest: int) -> None:
    """Compare one compressed frame with the header.

    Raises:
        ClipError: it states another size, or is larger than allowed.
    """
    if len(data) > largest:
        raise ClipError(f"{name} has {len(data):,} bytes, more than uncompressed: it is damaged")
    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > SCANS:
        raise ClipError(f"{name} is a JPEG of more than {SCANS} scans: it is damaged")
    stated = encoded_size(data)
    if stated is not None and stated != (header.rows, header.columns):
        raise ClipError(
            f"{name} is of {stated[0]} x {stated[1]} pixels, but the header says "
            f"{header.rows} x {header.columns}"
        )


def encoded_size(data: bytes) -> tuple[int, int] | None:
    """Read (rows, columns) that a JPEG or JPEG 2000 states; None if it states none."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data)
    at = data[:4096].find(_SIZE_OF_2000)
    if at < 0 or len(data) < at + 42:
        return None
    width, height, left, top = struct.unpack_from(">4I", data, at + 8)
    (components,) = struct.unpack_from(">H", data, at + 40)
    if components > 4:
        raise ClipError(f"a frame has {components} colours in its JPEG 2000: it is damaged")
    return height - top, width - left


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in _NO_SIZE):
            rows, columns = struct.unpack_from(">2H", data, at + 5)
            return rows, columns
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _check_fragments(file: BinaryIO, header: Header, largest: int, clock: Clock) -> None:
    """Refuse fragments of absurd length before one is read; a sparse file has them for nothing."""
    order = "<" if header.syntax.is_little_endian else ">"
    offset, count = header.pixels_at, 0
    size = file.seek(0, 2)
    while offset + 8 <= size:
        file.seek(offset)
        group, element, length = struct.unpack(f"{order}HHL", file.read(8))
        if (group, element) != (0xFFFE, 0xE000):
            return
        if length > largest:
            raise ClipError(
                f"a frame has {length:,} bytes, more than uncompressed: the file is damaged"
            )
        offset, count = offset + 8 + length, count + 1
        if count % 4096 == 0:
            clock.check()
