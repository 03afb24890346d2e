"""Multi-frame ultrasound DICOM: examining the header and reading the clip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8

from echokit import Box, Clip, ClipError
from echokit_io.budget import Budget, Clock
from echokit_io.clip_info import ClipInfo
from echokit_io.colour import Colour, settle
from echokit_io.decoder_messages import muted_decoders
from echokit_io.dicom_cost import check_cost
from echokit_io.dicom_file import open_dicom
from echokit_io.dicom_geometry import frame_times, frames_per_second, modes, region_and_spacing
from echokit_io.dicom_header import Header, clip_info, read_header
from echokit_io.dicom_pixels import (
    check_complete,
    check_decodable,
    read_frames,
    watch_colour,
)

SAMPLED = 8
"""Frames, spread over the clip, in which colour Doppler is looked for."""


def examine(path: Path, budget: Budget) -> ClipInfo:
    """Read who and what the clip shows, after checking the header; decodes no pixels.

    Raises:
        ClipError: the file is not a clip; the message is the reason.
    """
    with open_dicom(path, budget) as file:
        header = _checked(file, budget)
    with muted_decoders():
        colour = "colour Doppler" in modes(header.tags)
    return replace(clip_info(header), colour=colour)


def read(path: Path, budget: Budget, colour: Colour = "refuse") -> Clip:
    """Read the clip: grey frames (T, H, W) uint8 with frame rate, pixel size and B-mode region.

    Args:
        path: the file.
        budget: what reading may cost.
        colour: what happens to colour Doppler.

    Raises:
        ClipError: it cannot be read; the message is the reason.
    """
    clock = budget.start()
    with open_dicom(path, budget) as file:
        header = _checked(file, budget)
        with muted_decoders():
            region, spacing = region_and_spacing(header.tags, header.rows, header.columns)
            fps = frames_per_second(header.tags)
            times = frame_times(header.tags, header.frames)
        frames = read_frames(file, header, clock)
        frames = _without_doppler(file, header, frames, region, colour, clock)
    return Clip(frames=frames, fps=fps, spacing=spacing, region=region, times=times)


def _without_doppler(
    file: BinaryIO,
    header: Header,
    frames: UInt8[np.ndarray, "T H W"],
    region: Box | None,
    colour: Colour,
    clock: Clock,
) -> UInt8[np.ndarray, "T H W"]:
    """Refuse or remove colour Doppler, which is looked for in some frames and removed from all."""
    some = np.unique(np.linspace(0, len(frames) - 1, SAMPLED).round().astype(int)).tolist()
    watch = watch_colour(file, header, some, frames, clock)
    if watch is None or watch.doppler(region, (header.rows, header.columns)) is None:
        return frames
    if colour == "remove":
        watch = watch_colour(file, header, range(len(frames)), frames, clock) or watch
    return settle(frames, watch, region, colour)


def _checked(file: BinaryIO, budget: Budget) -> Header:
    header = read_header(file, budget)
    with muted_decoders():
        if other := [name for name in modes(header.tags) if name != "colour Doppler"]:
            raise ClipError(
                f"it shows {' and '.join(other)} (by its regions), and only B-mode is judged: take "
                "the two-dimensional clip of this view"
            )
        check_decodable(header)
        check_cost(file, header, budget)
        check_complete(file, header)
    return header
