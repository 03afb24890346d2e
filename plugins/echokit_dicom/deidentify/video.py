"""One cleaned clip as an MP4 file without a word of metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from echokit import ClipError

LOSSLESS = {"lossless": "1", "deadline": "realtime", "cpu-used": "8"}
"""Options of the VP9 encoder. Nothing lossy is used: it would blur the sector into the black."""
TICK = Fraction(1, 90_000)
"""Seconds in the unit of times of frames that are not evenly spaced, as MPEG counts them."""
FULL_RANGE = 2
"""AVCOL_RANGE_JPEG: luma from 0 to 255, not 16 to 235."""
CONTAINERS = {b"\x1aE\xdf\xa3": "matroska", b"0&\xb2u\x8ef\xcf\x11": "asf", b"\0\0\x01\xba": "mpeg"}
"""First bytes -> FFmpeg demuxer, of containers but MP4 and AVI."""
ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
"""What MP4 and MOV begin with, after four bytes."""


def is_video(path: Path) -> bool:
    """Tell whether a clip's file is a video: whatever a loader reads that FFmpeg knows."""
    with path.open("rb") as file:
        return _demuxer(file.read(16)) != ""


def _demuxer(head: bytes) -> str:
    """Find the FFmpeg demuxer for a file's first bytes; empty if it is no video."""
    if head[8:12] == b"AVI ":
        return "avi"
    if head[4:8] in ATOMS:
        return "mov"
    return next((name for magic, name in CONTAINERS.items() if head.startswith(magic)), "")


def colour_frames(path: Path, count: int) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """Decode the frames of a clip in colour, upright, one by one.

    Raises:
        ClipError: they cannot be decoded.
    """
    import av  # slow to import, and not needed for other formats

    try:
        with path.open("rb") as file:
            known = _demuxer(file.read(16))
            file.seek(0)
            # the demuxer is given, never guessed: a disguised playlist would open other files
            container: Any = av.open(file, format=known, metadata_errors="replace")
            with container:
                for frame, _ in zip(container.decode(video=0), range(count + 1), strict=False):
                    picture: Any = frame.to_ndarray(format="rgb24")
                    yield np.rot90(picture, round(frame.rotation / 90) % 4)
    except (av.error.FFmpegError, ValueError) as error:
        raise ClipError(f"it cannot be decoded in colour ({type(error).__name__})") from None


def write_video(
    path: Path,
    frames: Iterable[UInt8[np.ndarray, "H W *C"]],
    fps: float,
    times: Float[np.ndarray, " T"] | None = None,
) -> None:
    """Write a clip, lossless VP9 in MP4; a row and a column may be added, which are black.

    Only pictures are written: no sound, subtitles, chapters, attachments or metadata.

    Args:
        path: file to write.
        frames: grey (H, W) or RGB (H, W, 3), one by one.
        fps: frames per second.
        times: seconds of each frame since the first, if they are not evenly spaced.
    """
    import av  # slow to import, and not needed for other formats

    stream: Any = None
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        for index, frame in enumerate(frames):
            padding = ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0))
            even = np.pad(frame, padding[: frame.ndim])
            if stream is None:
                rate = Fraction(fps).limit_denominator(1000)
                stream = container.add_stream("libvpx-vp9", rate=rate, options=LOSSLESS)
                stream.height, stream.width = even.shape[:2]
                # VP9 stores colours at half resolution, or green, blue and red in full
                stream.pix_fmt = "yuv420p" if frame.ndim == 2 else "gbrp"
                stream.codec_context.color_range = FULL_RANGE
                if times is not None:
                    stream.codec_context.time_base = TICK
            picture = _picture(even)
            if times is not None:
                picture.pts, picture.time_base = round(float(times[index]) / TICK), TICK
            container.mux(stream.encode(picture))
        if stream is not None:
            container.mux(stream.encode())


def _picture(frame: UInt8[np.ndarray, "H W *C"]) -> Any:
    import av

    if frame.ndim == 3:
        return av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="gbrp")
    chroma = np.full((frame.shape[0] // 2, frame.shape[1]), 128, np.uint8)
    picture = av.VideoFrame.from_ndarray(np.vstack([frame, chroma]), format="yuv420p")
    picture.color_range = FULL_RANGE
    return picture
