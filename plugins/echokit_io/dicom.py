"""Multi-frame ultrasound DICOM: examining the header and reading the clip."""

from __future__ import annotations

from pathlib import Path

from echokit import Clip
from echokit_io.clip_info import ClipInfo
from echokit_io.decoder_messages import muted_decoders
from echokit_io.dicom_geometry import frames_per_second, region_and_spacing
from echokit_io.dicom_header import Header, clip_info, read_header
from echokit_io.dicom_pixels import check_complete, check_decodable, read_frames


def examine(path: Path) -> ClipInfo:
    """Read who and what the clip shows, after checking the header; decodes no pixels.

    Raises:
        ClipError: the file is not a clip; the message is the reason.
    """
    return clip_info(_checked(path))


def read(path: Path) -> Clip:
    """Read the clip: grey frames (T, H, W) uint8 with frame rate, pixel size and B-mode region.

    Raises:
        ClipError: it cannot be read; the message is the reason.
    """
    header = _checked(path)
    frames = read_frames(path, header)
    with muted_decoders():
        region, spacing = region_and_spacing(header.tags, header.rows, header.columns)
        fps = frames_per_second(header.tags)
    return Clip(frames=frames, fps=fps, spacing=spacing, region=region)


def _checked(path: Path) -> Header:
    header = read_header(path)
    with muted_decoders():
        check_decodable(header)
        check_complete(path, header)
    return header
