"""The file that FFmpeg reads a video from: it never raises into FFmpeg, and ends when time is over.

An exception in FFmpeg's callback would be printed with its traceback, or lost.
"""

from __future__ import annotations

from typing import BinaryIO, final

from echokit import ClipError
from echokit_io.budget import Clock


@final
class VideoSource:
    """A file that keeps the first error of reading it, and ends there."""

    def __init__(self, file: BinaryIO, clock: Clock) -> None:
        self.file, self.clock = file, clock
        self.error: ClipError | OSError | None = None
        """Why it ended before its end."""

    def read(self, size: int) -> bytes:
        """Read bytes; none at the end, after an error, and when time is over."""
        if self.error is not None or size <= 0:
            return b""
        try:
            self.clock.check()
            return self.file.read(size)
        except (ClipError, OSError) as error:
            self.error = error
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move in the file; -1 where a damaged video leads before its start."""
        try:
            return self.file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1

    def tell(self) -> int:
        """Return the position in the file."""
        return self.file.tell()

    def check(self) -> None:
        """Raise the error of reading, if there was one.

        Raises:
            ClipError: the clip's time is over.
            OSError: the file could not be read.
        """
        if self.error is not None:
            raise self.error
