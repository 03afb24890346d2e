"""Report the progress of long work to whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, runtime_checkable

Tick = Callable[[int], None]
"""Called with the number of units done since the last call."""


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
