"""Where independent jobs run: in this process, or in a local pool of processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from multiprocessing import parent_process
from threading import Thread
from typing import TypeVar

from echokit.errors import TrainingError
from echokit.system.progress import Tick

T = TypeVar("T")


def run_all(
    work: Callable[[T, Tick], None],
    items: Sequence[T],
    sizes: Sequence[int],
    jobs: int,
    tick: Tick,
) -> None:
    """Do every item, at most `jobs` at a time.

    Args:
        work: does one item and ticks as it goes. With more than one job it is called in another
            process, so it and its items must be importable there, and only finished items tick.
        items: what is to be done; each must be repeatable, since an interrupted one is done again.
        sizes: units of each item, for the ticks.
        jobs: processes; 1 works in this one.
        tick: told of every unit done.
    """
    if jobs == 1 or len(items) < 2:
        for item in items:
            work(item, tick)
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    threads = max(1, (os.cpu_count() or 1) // jobs)
    with ProcessPoolExecutor(
        min(jobs, len(items)), get_context("spawn"), _begin, (threads,)
    ) as pool:
        size_of = {
            pool.submit(_silently, work, item): size
            for item, size in zip(items, sizes, strict=True)
        }
        try:
            for future in as_completed(size_of):
                future.result()
                tick(size_of[future])
        except BrokenProcessPool as error:
            raise TrainingError(
                f"One of {jobs} processes was killed, most likely for want of memory. Finished "
                "networks are kept: set compute.jobs lower in the run's recipe.toml and resume it."
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin(threads: int) -> None:
    """Set up a process of the pool: its share of the cores, and an end with its parent's."""
    import torch

    torch.set_num_threads(threads)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Else a killed run's processes would go on training for nobody."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _silently(work: Callable[[T, Tick], None], item: T) -> None:
    work(item, lambda done: None)
