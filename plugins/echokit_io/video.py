"""MP4, MOV, AVI, Matroska and other videos, decoded by PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from echokit import Clip, ClipError
from echokit_io.clip_info import LARGEST, ClipInfo
from echokit_io.colour import CHROMA, Colour, ColourWatch, saturated, settle
from echokit_io.grey_levels import full_range, luma
from echokit_io.recognise import HEAD, demuxer, open_regular

FASTEST = 2000.0
"""Largest plausible frame rate, in frames per second."""
FULL_RANGE = 2
"""AVCOL_RANGE_JPEG of a stream or frame: luma already ranges from 0 to 255."""
LUMA_FIRST = ("yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv410p", "nv12", "nv21")
"""8-bit formats whose first plane is luma, besides `yuvj` formats, which have full range."""


def examine(path: Path) -> ClipInfo:
    """Read the metadata of the container; decodes only what FFmpeg does to open it.

    Raises:
        ClipError: it holds no video stream, or one frame; the message is the reason.
    """
    with _open(path) as (container, stream):
        if stream.frames == 1:
            raise ClipError("it has one frame: a still image, not a clip")
        metadata = {**container.metadata, **stream.metadata}
    remarks = [v for k, v in metadata.items() if k.lower() in ("comment", "description", "title")]
    return ClipInfo(synthetic=any("synthetic" in str(remark).lower() for remark in remarks))


def read(path: Path, colour: Colour = "refuse") -> Clip:
    """Read the clip: luma of every frame (T, H, W) uint8, 0-255, upright, with the frame rate.

    Args:
        path: the file.
        colour: what happens to colour Doppler.

    Raises:
        ClipError: it is damaged or truncated, and the message says how many frames could be read;
            or it shows colour Doppler, which is to be refused.
    """
    import av  # slow to import, and not needed for other formats

    with _open(path) as (container, stream):
        promised, packets = int(stream.frames or 0), 0
        film = _Film(promised)
        try:
            for packet in container.demux(stream):
                # the last packet is empty: it flushes the decoder
                packets += packet.dts is not None or packet.pts is not None
                for frame in packet.decode():
                    film.add(frame)
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            raise ClipError(
                f"it is damaged: {film.count} frames could be read, then {_reason(error)}"
            ) from None
        if packets < promised:
            raise ClipError(f"it is truncated: {film.count} of its {promised} frames could be read")
        fps = _rate(stream)
    if film.count < 2:
        raise ClipError(f"{film.count} frames could be read; a clip has at least two")
    return Clip(frames=settle(film.frames[: film.count], film.colour, None, colour), fps=fps)


@contextmanager
def _open(path: Path) -> Iterator[tuple[Any, Any]]:
    import av  # slow to import, and not needed for other formats

    with open_regular(path) as file:
        head = file.read(HEAD)
        file.seek(0)
        try:
            container: Any = av.open(file, format=demuxer(head) or None, metadata_errors="replace")
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            raise ClipError(
                f"it is damaged or incomplete: 0 frames could be read ({_reason(error)})"
            ) from None
        with container:
            if not container.streams.video:
                raise ClipError(f"it holds no video stream{_others(container)}")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"  # frames in parallel too, if the codec allows it
            if stream.codec_context is None:
                raise ClipError("its video is of a codec that cannot be decoded here")
            yield container, stream


class _Film:
    """Decoded frames in one growing array, which saves copying a list of frames into an array."""

    def __init__(self, promised: int) -> None:
        self.promised = promised
        """Number of frames that the container states; 0 if it states none."""
        self.frames: UInt8[np.ndarray, "T H W"] = np.empty((0, 0, 0), np.uint8)
        self.count = 0
        self.colour = ColourWatch()
        """Where the frames are coloured."""

    def add(self, frame: Any) -> None:
        """Append a frame.

        Raises:
            ClipError: the frame has another size, is corrupt, or exceeds the largest clip.
        """
        image, n = _upright(frame), self.count + 1
        if frame.is_corrupt:
            raise ClipError(f"it is damaged: {n - 1} frames could be read, then a corrupt one")
        if n > 1 and image.shape != self.frames.shape[1:]:
            raise ClipError(
                f"its frames change size: frame 1 is {self.frames.shape[1:]}, "
                f"frame {n} is {image.shape}"
            )
        if n * image.size > LARGEST:
            raise ClipError(
                f"it has more than {LARGEST >> 30} GiB of grey pixels; cut it into clips"
            )
        if n > len(self.frames):
            self._grow(image.shape)
        self.frames[n - 1] = image
        self.colour.add(np.rot90(_coloured(frame), round(frame.rotation / 90) % 4), image)
        self.count = n

    def _grow(self, shape: tuple[int, ...]) -> None:
        most = LARGEST // (shape[0] * shape[1])  # a damaged container may state any number
        larger = np.empty((min(max(self.promised, 2 * self.count, 32), most), *shape), np.uint8)
        if self.count:
            larger[: self.count] = self.frames
        self.frames = larger


def _upright(frame: Any) -> UInt8[np.ndarray, "H W"]:
    """Return luma 0-255 of a frame, rotated as the container states; it may share its memory."""
    name = frame.format.name
    if name == "gray" or name in LUMA_FIRST or name.startswith("yuvj"):
        plane = frame.planes[0]
        full = name == "gray" or name.startswith("yuvj") or frame.color_range == FULL_RANGE
        rows = plane if full else bytes(plane).translate(_FULL_RANGE)
        # rows of a plane are padded to `line_size` bytes
        image = np.frombuffer(rows, np.uint8).reshape(-1, plane.line_size)
        image = image[: frame.height, : frame.width]
    else:
        image = luma(frame.to_ndarray(format="rgb24"))
    return np.rot90(image, round(frame.rotation / 90) % 4)


def _coloured(frame: Any) -> Bool[np.ndarray, "h w"]:
    """Mark coloured pixels, at the resolution of the chroma where that is stored by itself."""
    name = frame.format.name
    if name == "gray":
        return np.zeros((1, 1), np.bool_)
    if name.startswith("yuvj") or (name in LUMA_FIRST and name.startswith("yuv")):
        planes = []
        for plane in frame.planes[1:3]:
            chroma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            chroma = chroma[: plane.height, : plane.width]
            planes.append((chroma >= 128 + CHROMA) | (chroma <= 128 - CHROMA))
        return planes[0] | planes[1]
    return saturated(frame.to_ndarray(format="rgb24"))


_FULL_RANGE = full_range().tobytes()
"""Table of `bytes.translate`, which takes two thirds of the time of numpy's indexing."""


def _rate(stream: Any) -> float | None:
    rates = [float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
    return next((rate for rate in rates if 0 < rate <= FASTEST), None)


def _others(container: Any) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type})
    return f", only {' and '.join(kinds)}" if kinds else ""


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
