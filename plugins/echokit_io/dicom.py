"""Multi-frame ultrasound DICOM: what the header says, and the clip."""

from __future__ import annotations

from pathlib import Path

from echokit import Clip
from echokit_io import header as headers
from echokit_io.facts import Facts
from echokit_io.geometry import frames_per_second, region_and_spacing
from echokit_io.header import Header, read_header
from echokit_io.pixels import check_complete, check_decodable, read_frames
from echokit_io.quiet import quiet


def examine(path: Path) -> Facts:
    """What the header says, once it is clear that the file can be a clip; decodes no pixels.

    Raises:
        ClipError: it cannot be one; the message is the reason.
    """
    return headers.facts(_checked(path))


def read(path: Path) -> Clip:
    """Read the clip: grey frames (T, H, W) uint8 with rate, pixel size and B-mode region.

    Raises:
        ClipError: it cannot be read; the message is the reason.
    """
    header = _checked(path)
    frames = read_frames(path, header)
    with quiet():
        region, spacing = region_and_spacing(header.tags, header.rows, header.columns)
        fps = frames_per_second(header.tags)
    return Clip(frames=frames, fps=fps, spacing=spacing, region=region)


def _checked(path: Path) -> Header:
    header = read_header(path)
    with quiet():
        check_decodable(header)
        check_complete(path, header)
    return header
