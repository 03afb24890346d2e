"""What killed processes left is removed, what living ones write is not."""

import os
import subprocess
import sys
import tempfile

import pytest

from echokit.system.files import whole_folder
from echokit.system.leftovers import OLD, partial_path, scratch_folder, sweep
from echokit.system.processes import Process, parse_process, this_process


@pytest.fixture(scope="module")
def dead():
    """A process that has ended."""
    code = "from echokit.system.processes import this_process; print(this_process())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return parse_process(done.stdout.strip())


def test_a_process_is_told_from_another_of_its_number(dead):
    me = this_process()
    assert parse_process(str(me)) == me
    assert parse_process("no process") is None
    assert not me.is_dead
    assert dead.is_dead
    assert Process(me.host, me.pid, dead.started).is_dead, "the number was given to another"
    assert not Process("elsewhere", dead.pid, dead.started).is_dead, "nobody knows"


def test_partial_files_and_folders_of_dead_processes_go_and_all_else_stays(tmp_path, dead):
    elsewhere = Process("elsewhere", dead.pid, dead.started)
    deep = tmp_path / "models" / "x"
    deep.mkdir(parents=True)
    gone = [deep / f".split-00.{dead}.part.safetensors", tmp_path / f".key.{dead}.part"]
    stay = [partial_path(deep / "a.json"), deep / f".b.{elsewhere}.part.json", deep / ".gitignore",
            deep / f"c.{dead}.part.json", deep / f".d.{dead}"]  # fmt: skip
    for path in [gone[0], *stay]:
        path.touch()
    gone[1].mkdir()
    (gone[1] / "pixels").touch()
    sweep(tmp_path)
    assert [path.exists() for path in gone] == [True, False]
    sweep(tmp_path, deep=True)
    assert [path.exists() for path in gone] == [False, False]
    assert all(path.exists() for path in stay)
    sweep(tmp_path / "absent", deep=True)


def test_partial_files_of_earlier_versions_go_once_they_are_old(tmp_path, dead):
    old, fresh, living = (tmp_path / f".{name}" for name in
                          (f"k.{dead.pid}", f"m.{dead.pid}.json", f"n.{os.getpid()}"))  # fmt: skip
    for path in (old, fresh, living):
        path.touch()
    for path in (old, living):
        os.utime(path, (0, path.stat().st_mtime - 2 * OLD))
    sweep(tmp_path)
    assert [path.exists() for path in (old, fresh, living)] == [False, True, True]


def test_temporary_folders_of_dead_processes_go_when_the_next_is_made(tmp_path, monkeypatch, dead):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / f"echokit-{dead}-abc"
    others = [tmp_path / f"echokit-{this_process()}-abc", tmp_path / "echokit-mine"]
    for path in (left, *others):
        path.mkdir()
    with scratch_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert sorted(tmp_path.iterdir()) == sorted([folder, *others])
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_a_killed_writer_of_a_folder_leaves_what_the_next_sweep_removes(tmp_path):
    code = f"""
import os, signal
from pathlib import Path
from echokit.system.files import whole_folder
with whole_folder(Path({str(tmp_path)!r}) / "key") as partial:
    (partial / "pixels").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with whole_folder(tmp_path / "living"):
        assert len(list(tmp_path.iterdir())) == 2
        sweep(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
