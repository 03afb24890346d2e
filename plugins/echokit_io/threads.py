"""Work on several frames at once: decoders let go of Python's lock while they are at it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
THREADS = min(4, os.cpu_count() or 1)
"""More of them decode faster than one thread can take what they made."""


def in_threads(work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Results in the order of the items, of which only a few are held at once.

    Whatever the work raises is raised in its place in the order.
    """
    with ThreadPoolExecutor(THREADS, "decoding") as pool:
        coming: deque[Future[B]] = deque()
        for item in items:
            coming.append(pool.submit(work, item))
            if len(coming) > 2 * THREADS:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
