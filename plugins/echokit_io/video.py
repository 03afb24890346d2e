"""MP4, MOV, AVI, Matroska and other videos, decoded by PyAV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from echokit import Clip, ClipError
from echokit_io.budget import FASTEST, MB, SLOWEST, Budget, Clock
from echokit_io.clip_info import ClipInfo
from echokit_io.colour import CHROMA, Colour, ColourWatch, saturated, settle
from echokit_io.grey_levels import full_range, luma
from echokit_io.recognise import HEAD, demuxer, open_regular
from echokit_io.video_source import VideoSource

FULL_RANGE = 2
"""AVCOL_RANGE_JPEG of a stream or frame: luma already ranges from 0 to 255."""
DECODING = 24
"""Bytes for each pixel of a frame that a decoder takes: 16 frames of 1.5 bytes at most."""
GROWTH = 64 * MB
"""Bytes that are set aside at once, whatever number of frames a container promises."""
COUNTLESS = frozenset({"matroska", "webm", "asf"})
"""Containers that state how long they last and not how many frames they have."""
TOLERANCE = 1.5
"""Frames by which a clip may be shorter than its container says, which rounds times."""
_CLOCK = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d+)?)$")
"""A stream's tag DURATION in Matroska: hours, minutes, seconds."""
LUMA_FIRST = ("yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv410p", "nv12", "nv21")
"""8-bit formats whose first plane is luma, besides `yuvj` formats, which have full range."""


def examine(path: Path, budget: Budget) -> ClipInfo:
    """Read the metadata of the container; decodes only what FFmpeg does to open it.

    Raises:
        ClipError: it holds no video stream, or one frame; the message is the reason.
    """
    with opened(path, budget.start()) as (container, stream, _):
        if stream.frames == 1:
            raise ClipError("it has one frame: a still image, not a clip")
        metadata = {**container.metadata, **stream.metadata}
    remarks = [v for k, v in metadata.items() if k.lower() in ("comment", "description", "title")]
    return ClipInfo(synthetic=any("synthetic" in str(remark).lower() for remark in remarks))


def read(path: Path, budget: Budget, colour: Colour = "refuse") -> Clip:
    """Read the clip: luma of every frame (T, H, W) uint8, 0-255, upright, with the frame rate.

    Args:
        path: the file.
        budget: what reading may cost.
        colour: what happens to colour Doppler.

    Raises:
        ClipError: it is damaged or truncated, and the message says how many frames could be read;
            it costs more than allowed; or it shows colour Doppler, which is to be refused.
    """
    clock = budget.start()
    with opened(path, clock) as (container, stream, source):
        promised, decoder = int(stream.frames or 0), stream.codec_context
        check_size(max(promised, 2), decoder.height, decoder.width, budget)
        seen, film = Seen(clock), _Film(promised)
        for image in decoded(container, stream, source, seen):
            film.add(image)
        fps = frame_rate(stream)
    return Clip(frames=settle(film.whole(), seen.colour, None, colour), fps=fps)


def decoded(
    container: Any, stream: Any, source: VideoSource, seen: Seen
) -> Iterator[UInt8[np.ndarray, "H W"]]:
    """Decode every frame to luma, which may share the decoder's memory until the next frame.

    Raises:
        ClipError: it is damaged, ends before its container says, or costs more than allowed.
    """
    import av  # slow to import, and not needed for other formats

    promised, packets = int(stream.frames or 0), 0
    try:
        for packet in container.demux(stream):
            # the last packet is empty: it flushes the decoder
            packets += packet.dts is not None or packet.pts is not None
            for frame in packet.decode():
                yield seen.look(frame)
    except (av.error.FFmpegError, ValueError, MemoryError) as error:
        source.check()
        raise ClipError(
            f"it is damaged: {seen.count} frames could be read, then {_reason(error)}"
        ) from None
    source.check()
    if packets < promised:
        raise ClipError(f"it is truncated: {seen.count} of its {promised} frames could be read")
    _check_duration(container, stream, seen)
    if seen.count < 2:
        raise ClipError(f"{seen.count} frames could be read; a clip has at least two")


@contextmanager
def opened(path: Path, clock: Clock) -> Iterator[tuple[Any, Any, VideoSource]]:
    """Open the container, its first video stream, and the file that they are read from.

    Raises:
        ClipError: it holds no video that can be decoded, or its frames are larger than allowed.
    """
    import av  # slow to import, and not needed for other formats

    with open_regular(path) as file:
        head = file.read(HEAD)
        file.seek(0)
        source, budget = VideoSource(file, clock), clock.budget
        try:
            container: Any = av.open(
                source,
                format=demuxer(head) or None,
                options={"max_pixels": str(int(budget.pixels)), "threads": "1"},
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            source.check()
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
            decoder = stream.codec_context
            decoder.options = {"max_pixels": str(int(budget.pixels))}
            frames = max(int(stream.frames or 0), 2)
            # a long clip can be read block by block; `read` asks for the memory of all frames
            check_size(frames, decoder.height, decoder.width, budget, held=2)
            yield container, stream, source


class Seen:
    """What is known of a clip by the frames that were decoded."""

    def __init__(self, clock: Clock, held: int | None = None) -> None:
        """Begin with no frame.

        Args:
            clock: measures the time, and has the budget.
            held: number of frames that are in memory at once; None for all.
        """
        self.clock = clock
        self.held = held
        self.count = 0
        self.shape = (0, 0)
        """Height and width of the frames."""
        self.colour = ColourWatch(keeps=held is None)
        """Where the frames are coloured."""
        self.last = -1.0
        """Time of the last frame in seconds; negative if the container states none."""
        self.gap = 0.0
        """Longest time between two frames, in seconds."""

    def look(self, frame: Any) -> UInt8[np.ndarray, "H W"]:
        """Return the luma of the next frame.

        Raises:
            ClipError: the frame has another size, is corrupt, or the clip costs more than allowed.
        """
        image, n = _upright(frame), self.count + 1
        if frame.is_corrupt:
            raise ClipError(f"it is damaged: {n - 1} frames could be read, then a corrupt one")
        rows, columns = image.shape
        if n > 1 and image.shape != self.shape:
            raise ClipError(
                f"its frames change size: frame 1 is {self.shape}, frame {n} is {image.shape}"
            )
        self.clock.check(f"{n} frames")
        check_size(n, rows, columns, self.clock.budget, self.held, ends=False)
        self.colour.add(np.rot90(_coloured(frame), round(frame.rotation / 90) % 4), image)
        self.count, self.shape = n, (rows, columns)
        if frame.pts is not None and frame.time_base is not None:
            moment = float(frame.pts * frame.time_base)
            self.gap = max(self.gap, moment - self.last if self.last >= 0 else 0.0)
            self.last = max(self.last, moment)
        return image


class _Film:
    """Decoded frames in one growing array, which saves copying a list of frames into an array."""

    def __init__(self, promised: int) -> None:
        self.promised = promised
        """Number of frames that the container states; 0 if it states none."""
        self.frames: UInt8[np.ndarray, "T H W"] = np.empty((0, 0, 0), np.uint8)
        self.count = 0

    def add(self, image: UInt8[np.ndarray, "H W"]) -> None:
        """Append a frame."""
        if self.count == len(self.frames):
            self._grow(image.shape)
        self.frames[self.count] = image
        self.count += 1

    def whole(self) -> UInt8[np.ndarray, "T H W"]:
        """Return the frames that were added."""
        self.frames.resize((self.count, *self.frames.shape[1:]), refcheck=False)
        return self.frames

    def _grow(self, shape: tuple[int, ...]) -> None:
        more = GROWTH // (shape[0] * shape[1]) + 2
        if not self.count:
            self.frames = np.empty((min(max(self.promised, 32), more), *shape), np.uint8)
            return
        # grown in its place: a copy would take the memory twice
        self.frames.resize((self.count + more, *shape), refcheck=False)


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


def frame_rate(stream: Any) -> float | None:
    """Return frames per second, if the container states a plausible number."""
    rates = [float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
    return next((rate for rate in rates if SLOWEST <= rate <= FASTEST), None)


def check_size(
    frames: int,
    rows: int,
    columns: int,
    budget: Budget,
    held: int | None = None,
    *,
    ends: bool = True,
) -> None:
    """Refuse a clip that is larger than allowed: its frames and colours, and the decoder's.

    Args:
        frames: number of frames.
        rows: height of a frame.
        columns: width of a frame.
        budget: what is allowed.
        held: number of frames that are in memory at once; None for all.
        ends: False if more frames may follow.

    Raises:
        ClipError: it is larger.
    """
    pixels = rows * columns
    each, beside = (1.25, 0.0) if held is None else (0.0, held * pixels)
    budget.check_clip(frames, rows, columns, each, beside + DECODING * pixels, ends=ends)


def _check_duration(container: Any, stream: Any, seen: Seen) -> None:
    """Refuse a clip that ends before its container says, where the container counts no frames.

    Raises:
        ClipError: frames are missing at its end.
    """
    seconds = _duration(container, stream)
    if stream.frames or seconds is None or seen.last < 0 or seen.count < 2:
        return
    # the last frame may be shown as long as any other
    if seconds - seen.last > (1 + TOLERANCE) * seen.gap:
        raise ClipError(
            f"it is truncated: {seen.count} frames could be read, to {seen.last + seen.gap:.2f} of "
            f"its {seconds:.2f} seconds"
        )


def _duration(container: Any, stream: Any) -> float | None:
    """Read how long the pictures last, in seconds; None if the container does not say it."""
    if not COUNTLESS & set(container.format.name.split(",")):
        return None  # FFmpeg guesses it from the bit rate
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    written = {key.upper(): value for key, value in stream.metadata.items()}.get("DURATION", "")
    if match := _CLOCK.match(written):
        return 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3])
    if container.duration is None or len(container.streams) > 1:  # sound may last longer
        return None
    return float(container.duration) / 1e6


def _others(container: Any) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type})
    return f", only {' and '.join(kinds)}" if kinds else ""


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
