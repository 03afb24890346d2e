"""Run independent jobs on this machine: in this process, or in a pool of processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from echokit.errors import TrainingError
from echokit.hookspecs import Register, hookimpl
from echokit.interfaces import Executor
from echokit.system.progress import Tick

T = TypeVar("T")


@hookimpl
def register_executors(register: Register) -> None:
    """Add the executor `local`."""
    register("local", local)


def local(*, jobs: int = 1) -> Executor:
    """Run jobs on this machine, `jobs` of them at the same time.

    Args:
        jobs: 1 runs them one after another in this process; more start that many processes, which
            share the cores. What they run must be importable there.
    """
    if not isinstance(jobs, int) or jobs < 1:
        raise ValueError("jobs is a whole number from 1")
    return Local(jobs)


@dataclass(frozen=True, slots=True)
class Local:
    """Runs jobs in this process, or in a pool of processes that ends with this one."""

    jobs: int
    """How many run at the same time; 1 needs no pool."""

    def __call__(
        self,
        work: Callable[[T, Tick], None],
        items: Mapping[str, T],
        sizes: Mapping[str, int],
        tick: Tick,
    ) -> None:
        """Do every item; see `echokit.Executor`. In a pool only finished items tick."""
        if self.jobs == 1 or len(items) < 2:
            for item in items.values():
                work(item, tick)
        else:
            _in_a_pool(self.jobs, work, items, sizes, tick)


def _in_a_pool(
    jobs: int,
    work: Callable[[T, Tick], None],
    items: Mapping[str, T],
    sizes: Mapping[str, int],
    tick: Tick,
) -> None:
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with ProcessPoolExecutor(
        min(jobs, len(items)), get_context("spawn"), _begin, (threads,)
    ) as pool:
        size_of = {pool.submit(_silently, work, item): sizes[key] for key, item in items.items()}
        try:
            for future in as_completed(size_of):
                future.result()
                tick(size_of[future])
        except BrokenProcessPool as error:
            raise TrainingError(
                f"One of {jobs} processes was killed, most likely because memory ran out. Finished "
                "networks are kept: set compute.jobs lower in the run's recipe.toml and resume it."
            ) from error
        except BaseException as error:
            processes = list((pool._processes or {}).values())  # `shutdown` forgets them
            pool.shutdown(wait=False, cancel_futures=True)
            if not isinstance(error, Exception):  # stopped: do not wait for what they train
                for process in processes:
                    process.terminate()
            raise


def _begin(threads: int) -> None:
    """Set up a process of the pool: its share of the cores, and an end with its parent."""
    import torch

    torch.set_num_threads(threads)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent ends: a killed run must not leave processes that train."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _silently(work: Callable[[T, Tick], None], item: T) -> None:
    """Do one item; ticks cannot reach the process that waits."""
    work(item, lambda done: None)
