"""Progress without a terminal: a line for each step, and one a minute, with the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from echokit.cli.console import Bars, err
from echokit.system.progress import Progress, Silent, Tick

EVERY = 60.0
"""Seconds between two lines of a step."""


def progress_of(quiet: bool) -> Progress:
    """Return what shows progress: bars on a terminal, lines elsewhere, nothing if that is asked."""
    if quiet:
        return Silent()
    if err.is_terminal:
        return Bars()
    return Lines(lambda line: err.print(line, markup=False, soft_wrap=True))


class Lines:
    """Progress as lines, such as `2026-11-26 23:18:54 Training networks: 120 of 450 sequences`."""

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.time):
        """Write lines.

        Args:
            write: receives each line.
            clock: seconds since 1970.
        """
        self._write, self._clock = write, clock

    @contextmanager
    def bar(self, title: str, total: int, unit: str) -> Iterator[Tick]:
        """Write a line when the step ends, and one for each minute that it takes."""
        started = told = self._clock()
        done = 0

        def tick(more: int) -> None:
            nonlocal done, told
            done += more
            now = self._clock()
            if now - told >= EVERY:
                told = now
                rate = done / (now - started)
                left = f", {(total - done) / rate / 60:.0f} min left" if rate > 0 and total else ""
                self._say(f"{title}: {done} of {total} {unit} ({rate:.1f} {unit}/s{left})")

        yield tick
        self._say(f"{title}: {done} {unit} in {self._clock() - started:.0f} s")

    def _say(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._clock()))
        self._write(f"{stamp} {text}")
