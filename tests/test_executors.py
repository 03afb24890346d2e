"""Independent jobs: in this process or in a pool, with the same result."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from echokit.executors import run_all


def leave_a_note(folder: Path, number: int, tick) -> None:
    """A job that a pool's process can import: writes down who did it."""
    if number < 0:
        raise ValueError(f"item {number}")
    tick(1)
    (folder / str(number)).write_text(f"{os.getpid()}")


def test_one_at_a_time_stays_in_this_process_in_order_and_every_item_ticks():
    done, ticks = [], []

    def work(item, tick):
        done.append(item)
        tick(item)

    run_all(work, [3, 1, 2], [9, 9, 9], 1, ticks.append)
    assert done == ticks == [3, 1, 2]


def test_a_single_item_starts_no_pool(tmp_path):
    run_all(partial(leave_a_note, tmp_path), [1], [5], 2, lambda n: None)
    assert (tmp_path / "1").read_text() == str(os.getpid())


def test_nothing_to_do_is_done_at_once():
    run_all(lambda item, tick: pytest.fail("there was nothing to do"), [], [], 2, lambda n: None)


def test_a_failure_in_this_process_is_raised_and_the_rest_is_left():
    done = []

    def work(item, tick):
        if item == 2:
            raise ValueError("no")
        done.append(item)

    with pytest.raises(ValueError, match="no"):
        run_all(work, [1, 2, 3], [1, 1, 1], 1, lambda n: None)
    assert done == [1]


def test_a_pool_does_every_item_elsewhere_and_ticks_whole_items(tmp_path):
    ticks: list[int] = []
    run_all(partial(leave_a_note, tmp_path), [1, 2, 3], [10, 20, 30], 2, ticks.append)
    pids = {(tmp_path / str(n)).read_text() for n in (1, 2, 3)}
    assert str(os.getpid()) not in pids
    assert sorted(ticks) == [10, 20, 30]


def test_a_failure_in_a_pool_is_raised_here(tmp_path):
    with pytest.raises(ValueError, match="item -1"):
        run_all(partial(leave_a_note, tmp_path), [-1, 2], [1, 1], 2, lambda n: None)
