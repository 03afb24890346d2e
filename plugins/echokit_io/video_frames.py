"""Decoded frames of a video: made grey and upright, and what is known of a clip by them."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from echokit import ClipError
from echokit_io.budget import Budget, Clock
from echokit_io.colour import CHROMA, ColourWatch, saturated
from echokit_io.frame_times import uneven
from echokit_io.grey_levels import full_range, luma

FULL_RANGE = 2
"""AVCOL_RANGE_JPEG of a stream or frame: luma already ranges from 0 to 255."""
DECODING = 24
"""Bytes for each pixel of a frame that a decoder takes: 16 frames of 1.5 bytes at most."""
LUMA_FIRST = ("yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv410p", "nv12", "nv21")
"""8-bit formats whose first plane is luma, besides `yuvj` formats, which have full range."""


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
        self.moments: list[float] = []
        """Time of each frame in seconds, as far as the container states them."""

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
            self.moments.append(moment)
        return image

    def times(self) -> Float[np.ndarray, " T"] | None:
        """Return the seconds of each frame, if they are stated and not evenly spaced."""
        return uneven(np.asarray(self.moments)) if len(self.moments) == self.count else None


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
