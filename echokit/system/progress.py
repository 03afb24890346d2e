"""Report the progress of long work to whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, runtime_checkable

Tick = Callable[[int], None]
"""Called with the number of units done since the last call."""

Listener = Callable[[str, int, int], object]
"""Called as `listener(title, done, total)`: the step's name, its units done and in all."""


@runtime_checkable
class Progress(Protocol):
    """Shows the progress of a run, for example on a terminal or a page."""

    def bar(self, title: str, total: int, unit: str) -> AbstractContextManager[Tick]:
        """Open a progress bar of `total` units for one stage; the block receives its tick."""
        ...


class Silent:
    """Progress that is not shown."""

    @contextmanager
    def bar(self, title: str, total: int, unit: str) -> Iterator[Tick]:
        """Give a tick that does nothing."""
        yield lambda done: None


class Told:
    """A function that is told of every step: when it begins, and whenever units are done."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener

    @contextmanager
    def bar(self, title: str, total: int, unit: str) -> Iterator[Tick]:
        """Open a bar that the listener hears of."""
        done = 0

        def tick(more: int) -> None:
            nonlocal done
            done += more
            self.listener(title, done, total)

        tick(0)
        yield tick


def watched(progress: Progress | Listener | None) -> Progress:
    """Make a `Progress` of whatever a caller gave: one, a function of three values, or nothing."""
    if progress is None:
        return Silent()
    return progress if isinstance(progress, Progress) else Told(progress)
