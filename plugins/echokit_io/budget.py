"""What reading one source may cost: memory, pixels, frames, rows and seconds.

A file states any number, and a few kilobytes inflate to gigabytes. So every reader asks the budget
before it allocates, by the header, and counts what it really reads where a header may lie.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NoReturn

from echokit import ClipError, OptionError

MB = 1_000_000
"""Bytes in the unit of the limit `memory`."""
FASTEST, SLOWEST = 2000.0, 0.1
"""Largest and smallest plausible frame rate, in frames per second."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of reading one clip, manifest or sheet."""

    memory: float = 500.0
    """Megabytes (10^6 bytes) that reading takes at once: pixels, and what decoding them needs."""
    pixels: float = 16_000_000.0
    """Pixels of a frame."""
    frames: float = 100_000.0
    """Frames of a clip."""
    rows: float = 200_000.0
    """Rows of a manifest or sheet."""
    unpacked: float = 20_000.0
    """Megabytes that all archives of a source together unpack to, on the disk."""
    seconds: float = 60.0
    """Seconds that reading a clip takes, both by the clock and of the processor."""

    @classmethod
    def of(cls, limits: Mapping[str, float] | None) -> Budget:
        """Make a budget of the option `limits`; what it does not name stays as it is.

        Raises:
            OptionError: a name is unknown, or a value is no positive number.
        """
        names = [field.name for field in fields(cls)]
        for name, value in (limits or {}).items():
            if name not in names:
                raise OptionError(f"limits has no {name!r}: write {', '.join(names)}.")
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 < value < float("inf"):
                raise OptionError(f"limits.{name} is {value!r}: write a number above 0.")
        return cls(**{name: float(value) for name, value in (limits or {}).items()})

    @property
    def bytes(self) -> int:
        """Bytes that reading takes at once."""
        return int(self.memory * MB)

    def start(self) -> Clock:
        """Start the clock of one clip."""
        return Clock(self)

    def check_memory(self, needed: float, what: str, *, ends: bool = True) -> None:
        """Refuse what needs more memory than is allowed.

        Args:
            needed: bytes.
            what: what needs them, as the beginning of a sentence.
            ends: False if this is only what was read until now, and more may follow.

        Raises:
            ClipError: it needs more.
        """
        if needed > self.bytes:
            takes = f"{math.ceil(needed / MB):,} MB, more than" if ends else "more than"
            wanted = needed / MB if ends else 4 * self.memory
            raise ClipError(
                f"{what}: that takes {takes} the {self.memory:,.0f} MB of memory that are allowed; "
                "if the file is sound, cut it into shorter clips, or allow more with the option "
                "limits of the loader "
                f"(--set study.limits.memory={_rounded_up(wanted)})"
            )

    def check_clip(
        self,
        frames: int,
        rows: int,
        columns: int,
        bytes_of_pixel: float = 1.0,
        beside: float = 0.0,
        *,
        ends: bool = True,
    ) -> None:
        """Refuse a clip that is larger than allowed, by its size alone.

        Args:
            frames: number of frames.
            rows: height of a frame.
            columns: width of a frame.
            bytes_of_pixel: bytes that each pixel takes while the clip is read.
            beside: further bytes, such as those that decoding one frame takes.
            ends: False if these are the frames that were read until now, and more may follow.

        Raises:
            ClipError: it is larger.
        """
        least = "" if ends else "at least "
        shape = f"it has {least}{frames:,} frames of {rows} x {columns} pixels"
        if rows * columns > self.pixels:
            self._refuse(shape, "pixels", rows * columns, "a frame")
        if frames > self.frames:
            self._refuse(shape, "frames", frames, "a clip")
        needed = frames * rows * columns * bytes_of_pixel + beside
        self.check_memory(needed, shape, ends=ends)

    def _refuse(self, what: str, limit: str, given: float, of: str) -> NoReturn:
        raise ClipError(
            f"{what}, more than the {getattr(self, limit):,.0f} {limit} of {of} that are allowed; "
            f"if the file is sound, allow more with the option limits of the loader "
            f"(--set study.limits.{limit}={_rounded_up(given)})"
        )


class Clock:
    """Time since a clip was begun, by the wall and of the processor: the smaller of both counts.

    So neither a busy machine, nor one that slept, nor work of other threads makes a clip refused.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def check(self, done: str = "") -> None:
        """Refuse a clip whose time is over.

        Args:
            done: what was read until now, as the end of a sentence.

        Raises:
            ClipError: it is over.
        """
        wall, cpu = time.monotonic() - self._wall, time.process_time() - self._cpu
        if min(wall, cpu) > self.budget.seconds:
            raise ClipError(
                f"reading it takes more than the {self.budget.seconds:g} seconds that are allowed"
                f"{done and f' ({done})'}; if the file is sound, allow more with the option limits "
                f"of the loader (--set study.limits.seconds={self.budget.seconds * 4:g})"
            )


def check_rate(fps: float, stated: str) -> float:
    """Return a frame rate that a file states, if it is plausible.

    Args:
        fps: frames per second.
        stated: what the file says, such as `its fps is inf`.

    Raises:
        ClipError: it is not; the message quotes what the file says.
    """
    if not SLOWEST <= fps <= FASTEST:
        raise ClipError(
            f"{stated}: plausible are {SLOWEST:g} to {FASTEST:g} frames per second; correct it, or "
            "leave it out"
        )
    return fps


LARGEST_PIXEL, SMALLEST_PIXEL = 100.0, 1e-4
"""Largest and smallest plausible size of a pixel, in millimetres."""


def check_spacing(row: float, column: float) -> tuple[float, float]:
    """Return a pixel size that a file states, in millimetres (row, column), if it is plausible.

    Raises:
        ClipError: it is not.
    """
    if not all(SMALLEST_PIXEL <= size <= LARGEST_PIXEL for size in (row, column)):
        raise ClipError(
            f"its pixels are {row:g} x {column:g} mm: plausible are {SMALLEST_PIXEL:g} to "
            f"{LARGEST_PIXEL:g} mm; correct it, or leave it out"
        )
    return row, column


def _rounded_up(value: float) -> int:
    """Round up to two digits, as one would type it."""
    step: int = 10 ** max(len(str(int(value))) - 2, 0)
    return (int(value) // step + 1) * step
