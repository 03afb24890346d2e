"""Frames of a long clip, several at once: numpy lets go of Python's lock while it computes."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

MANY = 1 << 22
"""Pixels of a clip from which on threads are worth being started."""


def each_frame(work: Callable[[int], None], frames: int, pixels: int) -> None:
    """Call `work` with the number of every frame, in whatever order.

    Args:
        work: writes what it makes of one frame to a place of its own.
        frames: how many there are.
        pixels: of all of them, to tell whether threads are worth it.
    """
    threads = min(4, os.cpu_count() or 1)
    if threads == 1 or pixels < MANY:
        for number in range(frames):
            work(number)
        return
    with ThreadPoolExecutor(threads, "frames") as pool:
        for _ in pool.map(work, range(frames)):
            pass
