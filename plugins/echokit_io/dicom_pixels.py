"""Decoding of a DICOM clip frame by frame, so that the clip is never in memory in colour."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Bool, Shaped, UInt8
from PIL import Image
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import as_pixel_options

from echokit import ClipError
from echokit_io.budget import Clock
from echokit_io.colour import ColourWatch, saturated
from echokit_io.decoder_messages import muted_decoders
from echokit_io.dicom_cost import (
    check_encoded,
    encoded_frames,
    frame_bytes,
)
from echokit_io.dicom_header import Header
from echokit_io.dicom_values import number, text
from echokit_io.grey_levels import monochrome, palette, to_plane
from echokit_io.threads import in_threads

GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
"""Photometric interpretations that are read, of one and of three samples."""
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
RLE = "1.2.840.10008.1.2.5"
"""Transfer syntaxes that are decoded in a faster way."""


def check_decodable(header: Header) -> None:
    """Check that the pixels have a format that can be decoded.

    Raises:
        ClipError: they have another format; the message names it.
    """
    tags, name = header.tags, header.syntax.name
    photometric = text(tags, "PhotometricInterpretation")
    samples, bits = number(tags, "SamplesPerPixel"), number(tags, "BitsAllocated")
    stored = number(tags, "BitsStored")
    if (photometric in GREY, photometric in COLOUR, samples) not in (
        (True, False, 1),
        (False, True, 3),
    ):
        raise ClipError(
            f"its photometric interpretation with {samples or 0:.0f} samples a pixel is not read; "
            f"read are {', '.join(GREY)} with 1 and {', '.join(COLOUR)} with 3"
        )
    if bits not in (8, 16) or stored is None or not 1 <= stored <= bits:
        raise ClipError(
            f"its pixels have {bits or 0:.0f} bits of which {stored or 0:.0f} are used; read are "
            "8 and 16 bits"
        )
    if number(tags, "PixelRepresentation") and photometric not in GREY[:2]:
        raise ClipError(f"its {photometric} pixels are signed, which makes no sense as colour")
    try:
        available = get_decoder(header.syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        raise ClipError(
            f"its transfer syntax {name!r} ({header.syntax}) cannot be decoded here; rewrite it "
            "uncompressed (for example with dcmdjpeg or gdcmconv --raw), or export it as MP4"
        )


def check_complete(file: BinaryIO, header: Header) -> None:
    """Check, without decoding, that the file contains all of its frames.

    Raises:
        ClipError: it is truncated; the message says how many frames are there.
    """
    available = file.seek(0, 2) - header.pixels_at
    if header.syntax.is_encapsulated:
        complete = _count_fragments(file, header)
    else:
        length = available if header.pixels_length < 0 else min(available, header.pixels_length)
        complete = length // _stored_bytes(header)
    if complete < header.frames:
        raise ClipError(f"it is truncated: {complete} of its {header.frames} frames are there")


def read_frames(file: BinaryIO, header: Header, clock: Clock) -> UInt8[np.ndarray, "T H W"]:
    """Decode every frame to grey.

    Raises:
        ClipError: a frame cannot be decoded; the message says which. Or the clip's time is over.
    """
    tags, shape = header.tags, (header.frames, header.rows, header.columns)
    frames: Shaped[np.ndarray, "T H W"] | None = None
    index = 0
    if header.syntax.is_encapsulated:
        check_encoded(file, header, clock)
    with muted_decoders():
        try:
            for plane in _planes(file, header):
                if plane.shape != shape[1:]:
                    raise ClipError(f"is {plane.shape}, but its header says {shape[1:]}")
                frames = np.empty(shape, plane.dtype) if frames is None else frames
                frames[index] = plane
                index += 1
                clock.check(f"{index} of {header.frames} frames")
                if index == header.frames:
                    break  # some files hold more frames than their header states
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # decoders raise almost anything, pylibjpeg-rle even panics
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ClipError(
                f"frame {index + 1} of {header.frames} cannot be decoded "
                f"({header.syntax.name}): {reason}"
            ) from error
        if frames is None or index < header.frames:
            raise ClipError(f"it is truncated: {index} of its {header.frames} frames are there")
        table = _table(tags, frames)
    if table is None:
        return frames.astype(np.uint8, copy=False)
    grey = frames if frames.dtype == np.uint8 else np.empty(shape, np.uint8)
    codes = frames.view(f"u{frames.dtype.itemsize}")
    for index in range(header.frames):  # numpy makes every code of a frame a whole integer
        grey[index] = table[codes[index]]
    return grey


def watch_colour(
    file: BinaryIO,
    header: Header,
    indices: Iterable[int],
    grey: UInt8[np.ndarray, "T H W"],
    clock: Clock,
) -> ColourWatch | None:
    """Find where some frames are coloured; None of a clip that has no colours.

    Args:
        file: the file.
        header: its header.
        indices: the frames.
        grey: every frame in grey.
        clock: the clip's time.

    Raises:
        ClipError: a frame cannot be decoded in colour; the message says which.
    """
    if text(header.tags, "PhotometricInterpretation") not in (*COLOUR, "PALETTE COLOR"):
        return None
    watch = ColourWatch()
    with muted_decoders():
        for index in indices:
            clock.check("in colour")
            try:
                coloured = _coloured(file, header, index)
            except (KeyboardInterrupt, SystemExit, MemoryError):
                raise
            except BaseException as error:  # decoders raise almost anything
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                raise ClipError(
                    f"frame {index + 1} of {header.frames} cannot be decoded in colour: {reason}"
                ) from error
            watch.add(coloured, grey[index])
    return watch


def _coloured(file: BinaryIO, header: Header, index: int) -> Bool[np.ndarray, "H W"]:
    """Mark the coloured pixels of one frame."""
    tags, decoder = header.tags, get_decoder(header.syntax)
    options: dict[str, Any] = {"decoding_plugin": "pylibjpeg" if header.syntax == RLE else ""}
    file.seek(header.pixels_at)
    frame, _ = decoder.as_array(
        file, index=index, **options, **_image_options(header)
    )  # RGB, whatever was stored
    if text(tags, "PhotometricInterpretation") == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        frame = apply_color_lut(frame, tags)[..., :3]
        if frame.max() > 255:
            frame = frame >> 8
    stored = int(number(tags, "BitsStored") or 8)
    if frame.dtype != np.uint8 and stored > 8 and frame.max() > 255:
        frame = frame >> (stored - 8)
    return saturated(frame.astype(np.uint8))


def _table(tags: Any, frames: Shaped[np.ndarray, "T H W"]) -> UInt8[np.ndarray, " levels"] | None:
    """Make the table from stored values to grey levels; None if they are grey levels already."""
    photometric = text(tags, "PhotometricInterpretation")
    if photometric == "PALETTE COLOR":
        return palette(tags)
    return monochrome(tags, frames) if photometric in GREY else None


def _planes(file: BinaryIO, header: Header) -> Iterator[Shaped[np.ndarray, "H W"]]:
    """Decode each frame to one value per pixel, in the stored type."""
    tags = header.tags
    photometric = text(tags, "PhotometricInterpretation")
    stored = int(number(tags, "BitsStored") or 8)
    fast = header.syntax == JPEG_BASELINE and photometric.startswith("YBR_FULL")
    if fast and (planes := _jpeg_luma(file, header)) is not None:
        yield from planes
        return
    for frame, photometric in _decoded(file, header):
        yield to_plane(frame, photometric, stored)


def _decoded(file: BinaryIO, header: Header) -> Iterator[tuple[Shaped[np.ndarray, "H W *C"], str]]:
    """Decode every frame by pydicom; returns it with its photometric interpretation."""
    decoder = get_decoder(header.syntax)
    plugin = "pylibjpeg" if header.syntax == RLE else ""  # 3.5 times as fast as pydicom's own
    # `raw` leaves YCbCr as it is stored: only its first channel is needed
    options: dict[str, Any] = {"raw": True, "decoding_plugin": plugin, **_image_options(header)}
    file.seek(header.pixels_at)
    if text(header.tags, "PhotometricInterpretation") != "YBR_FULL_422":
        for frame, properties in decoder.iter_array(file, **options):
            yield frame, str(properties["photometric_interpretation"])
        return
    for index in range(header.frames):
        # pydicom 3.0's iterator decodes frames after the first as YBR_FULL, which is wrong
        file.seek(header.pixels_at)
        frame, properties = decoder.as_array(file, index=index, **options)
        yield frame, str(properties["photometric_interpretation"])


def _image_options(header: Header) -> dict[str, Any]:
    """Make pydicom's keyword arguments that describe the image."""
    options = as_pixel_options(header.tags, pixel_keyword="PixelData")
    return options | {
        "number_of_frames": header.frames,
        "transfer_syntax_uid": header.syntax,
        "pixel_keyword": "PixelData",
        "pixel_vr": header.pixels_vr,
    }


def _jpeg_luma(file: BinaryIO, header: Header) -> Iterator[UInt8[np.ndarray, "H W"]] | None:
    """Decode only the luma of YCbCr JPEGs, seven times as fast; None if they may be RGB."""
    frames = encoded_frames(file, header)
    first = next(frames)
    if not _is_ycbcr(first):
        return None
    return in_threads(_draft, chain([first], frames))


def _is_ycbcr(data: bytes) -> bool:
    """Test whether libjpeg takes a JPEG for YCbCr, as the header states."""
    image: Any = Image.open(BytesIO(data), formats=["JPEG"])
    channels = [layer[0] for layer in image.layer]
    # libjpeg takes components named R, G, B, or an Adobe marker with transform 0, for RGB
    return (
        len(channels) == 3 and channels != [*b"RGB"] and image.info.get("adobe_transform", 1) == 1
    )


def _draft(data: bytes) -> UInt8[np.ndarray, "H W"]:
    """Decode the luma of a JPEG."""
    image = Image.open(BytesIO(data), formats=["JPEG"])
    image.draft("L", image.size)  # libjpeg then skips the chroma
    if image.mode != "L":
        raise ClipError(f"is a JPEG of mode {image.mode}, unlike the first")
    return np.asarray(image)


def _stored_bytes(header: Header) -> int:
    """Compute the size of an uncompressed frame in the file, in bytes."""
    size = frame_bytes(header)
    subsampled = text(header.tags, "PhotometricInterpretation") == "YBR_FULL_422"
    # two pixels share their chroma: 4 bytes instead of 6
    return size // 3 * 2 if subsampled else size


def _count_fragments(file: BinaryIO, header: Header) -> int:
    """Count complete fragments after the basic offset table; a frame has at least one."""
    order = "<" if header.syntax.is_little_endian else ">"
    file.seek(0, 2)
    size, offset = file.tell(), header.pixels_at
    count = -1  # the first item is the basic offset table
    while offset + 8 <= size and count < header.frames:
        file.seek(offset)
        group, element, length = struct.unpack(f"{order}HHL", file.read(8))
        offset += 8 + length
        if (group, element) != (0xFFFE, 0xE000) or offset > size:
            break
        count += 1
    return max(count, 0)
