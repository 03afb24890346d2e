"""Prefetch items of an iterable in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
_END: Any = object()


def prefetch(items: Iterable[T]) -> Iterator[T]:
    """Prefetch the next item in a thread while the current one is used.

    The order is kept. An error while an item is made is raised when that item is due.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "prefetch") as thread:
        upcoming = thread.submit(next, source, _END)
        while (item := upcoming.result()) is not _END:
            upcoming = thread.submit(next, source, _END)
            yield item
