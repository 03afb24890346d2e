"""End on SIGTERM and SIGHUP as on Ctrl-C: what was begun is cleaned up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

BASE = 128
"""Exit status of a command that a signal stopped: this and the number of the signal."""


class Stopped(BaseException):
    """A signal asks the command to end; no `except Exception` holds it up."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = BASE + number


@contextmanager
def end_on_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into `Stopped` in the block; a second one ends the process at once.

    A signal that is ignored, as SIGHUP under `nohup`, stays ignored.
    """
    begun = []
    if current_thread() is not main_thread():  # the others are not told of signals
        yield
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _stop)
            begun.append(number)
    try:
        yield
    finally:
        for number in begun:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> None:
    del frame
    signal.signal(number, signal.SIG_DFL)
    raise Stopped(number)


def status_of(stop: BaseException) -> int:
    """Return the exit status of a command that Ctrl-C or a signal stopped."""
    return stop.status if isinstance(stop, Stopped) else BASE + signal.SIGINT
