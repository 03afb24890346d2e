"""One process in one folder: others are refused, the locks of dead ones are taken over."""

import json
import subprocess
import sys
import time

import pytest

from echokit import UsageError
from echokit.system.locks import NAME, lock_folder
from echokit.system.processes import Process, this_process

HOLD = """
import sys, time
from pathlib import Path
from echokit.system.locks import lock_folder
folder, begin, seconds = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
time.sleep(max(0, begin - time.time()))
lock = lock_folder(folder)
print("held", flush=True)
time.sleep(seconds)
"""


def hold(folder, *, begin=0.0, seconds=60.0):
    command = [sys.executable, "-c", HOLD, folder, str(begin), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def write(folder, process):
    text = {"process": str(process), "since": "2026-01-01T00:00:00+00:00"}
    (folder / NAME).write_text(json.dumps(text))


def test_a_second_lock_is_refused_until_the_first_is_released(tmp_path):
    lock = lock_folder(tmp_path)
    with pytest.raises(UsageError, match=f"Process {this_process().pid} on .* works in {tmp_path}"):
        lock_folder(tmp_path)
    lock.release()
    lock.release()
    assert list(tmp_path.iterdir()) == []
    lock_folder(tmp_path).release()


def test_a_lock_that_nobody_holds_any_more_is_given_up(tmp_path):
    lock_folder(tmp_path)
    lock_folder(tmp_path).release()


def test_a_lock_of_a_living_process_is_respected_and_that_of_a_killed_one_taken(tmp_path):
    with hold(tmp_path) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match=rf"Process {other.pid} on .* --out"):
            lock_folder(tmp_path)
        other.kill()
        other.wait()
        lock_folder(tmp_path).release()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": 3}'])
def test_a_damaged_lock_of_nobody_is_taken(tmp_path, text):
    (tmp_path / NAME).write_text(text)
    lock_folder(tmp_path).release()


def test_of_a_process_of_another_machine_nothing_is_known(tmp_path):
    write(tmp_path, Process("elsewhere", 1, "0"))
    with pytest.raises(UsageError, match=rf"remove {tmp_path}/\.lock if no such process runs on"):
        lock_folder(tmp_path)
    write(tmp_path, Process(this_process().host, this_process().pid, "0x0"))
    lock_folder(tmp_path).release()


def test_of_many_that_begin_at_once_one_gets_the_lock(tmp_path):
    begin = time.time() + 1.5
    others = [hold(tmp_path, begin=begin, seconds=1.5) for _ in range(4)]
    said = [other.communicate()[0] for other in others]
    assert sorted(said) == [b"", b"", b"", b"held\n"]
