"""How a long stage tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, runtime_checkable

Tick = Callable[[int], None]
"""Called with how many units were done since the last call."""


@runtime_checkable
class Progress(Protocol):
    """Somebody who watches a run."""

    def bar(self, title: str, total: int, unit: str) -> AbstractContextManager[Tick]:
        """Open a bar of `total` units for one stage; the block's value is its tick."""
        ...


class Silent:
    """Nobody watches."""

    @contextmanager
    def bar(self, title: str, total: int, unit: str) -> Iterator[Tick]:
        """Open a bar that nobody sees."""
        yield lambda done: None
