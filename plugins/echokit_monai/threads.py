"""Frames of a long clip in several threads: numpy releases Python's lock while it computes."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

MANY_PIXELS = 1 << 22
"""Pixels of a clip from which on starting threads saves time."""


def each_frame(work: Callable[[int], None], frames: int, pixels: int) -> None:
    """Call `work` with the index of every frame, in any order.

    Args:
        work: processes one frame and stores the result, apart from those of other frames.
        frames: number of frames.
        pixels: number of pixels of all frames, which decides whether threads are started.
    """
    threads = min(4, os.cpu_count() or 1)
    if threads == 1 or pixels < MANY_PIXELS:
        for index in range(frames):
            work(index)
        return
    with ThreadPoolExecutor(threads, "frames") as pool:
        for _ in pool.map(work, range(frames)):  # raises what `work` raised
            pass
