"""MP4, MOV, AVI, Matroska and other videos, decoded by PyAV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from echokit import Clip, ClipError
from echokit_io.budget import FASTEST, MB, SLOWEST, Budget, Clock
from echokit_io.clip_info import ClipInfo
from echokit_io.colour import Colour, settle
from echokit_io.recognise import HEAD, demuxer, open_regular
from echokit_io.video_frames import Seen, check_size
from echokit_io.video_source import VideoSource

GROWTH = 64 * MB
"""Bytes that are set aside at once, whatever number of frames a container promises."""
COUNTLESS = frozenset({"matroska", "webm", "asf"})
"""Containers that state how long they last and not how many frames they have."""
TOLERANCE = 1.5
"""Frames by which a clip may be shorter than its container says, which rounds times."""
_CLOCK = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d+)?)$")
"""A stream's tag DURATION in Matroska: hours, minutes, seconds."""


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
    frames = settle(film.whole(), seen.colour, None, colour)
    return Clip(frames=frames, fps=fps, times=seen.times())


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


def frame_rate(stream: Any) -> float | None:
    """Return frames per second, if the container states a plausible number."""
    rates = [float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
    return next((rate for rate in rates if SLOWEST <= rate <= FASTEST), None)


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
