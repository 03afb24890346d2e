"""Independent jobs: in this process or in a pool, with the same result."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from echokit import OptionError, TrainingError, resolve
from echokit.executors.local import local


def run_all(work, numbers, sizes, jobs, tick):
    keys = [f"job-{number}" for number in numbers]
    items, sizes = dict(zip(keys, numbers, strict=True)), dict(zip(keys, sizes, strict=True))
    local(jobs=jobs)(work, items, sizes, tick)


def leave_a_note(folder: Path, number: int, tick) -> None:
    """A job that a pool's process can import: writes down who did it."""
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


def die(number, tick):
    os._exit(1)


def test_a_process_that_is_killed_is_an_error_of_training():
    with pytest.raises(TrainingError):
        run_all(die, [1, 2], [1, 1], 2, lambda n: None)


def test_the_pools_processes_end_when_their_parent_is_killed(tmp_path):
    """A run that was killed must not leave processes that train for nobody."""
    program = tmp_path / "endless.py"
    program.write_text(
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "def work(item, tick):\n"
        "    Path(sys.argv[1], str(os.getpid())).touch()\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    from echokit.executors.local import local\n"
        "    two = {'a': 1, 'b': 2}\n"
        "    local(jobs=2)(work, two, two, lambda n: None)\n"
    )
    notes = tmp_path / "pids"
    notes.mkdir()
    parent = subprocess.Popen([sys.executable, str(program), str(notes)])
    wait_until(lambda: len(list(notes.iterdir())) == 2)
    parent.kill()
    parent.wait()
    children = [int(note.name) for note in notes.iterdir()]
    wait_until(lambda: not any(is_alive(pid) for pid in children))


def wait_until(happened, seconds=90):
    for _ in range(seconds * 10):
        if happened():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "two"])
def test_other_than_a_whole_number_of_jobs_from_one_is_refused(jobs):
    with pytest.raises(OptionError):
        resolve("executor", "local", jobs=jobs)
