"""Work on several frames in threads: decoders release Python's lock while they decode."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
THREADS = min(4, os.cpu_count() or 1)
"""Number of threads; more would decode faster than one thread can collect the frames."""


def in_threads(work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Return results in the order of the items, and keep only a few of them at once.

    An error of the work is raised at its place in the order.
    """
    with ThreadPoolExecutor(THREADS, "decoding") as pool:
        pending: deque[Future[B]] = deque()
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) > 2 * THREADS:  # limits memory, and keeps every thread busy
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
