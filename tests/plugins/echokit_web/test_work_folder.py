"""The folder of a page."""

from __future__ import annotations

import pytest

from echokit import UsageError
from echokit_web.work_folder import WorkFolder


def test_only_its_owner_may_open_it(tmp_path):
    (tmp_path / "page").mkdir(mode=0o755)
    folder = WorkFolder(tmp_path / "page")
    folder.token()
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert (folder.path / "token").stat().st_mode & 0o777 == 0o600
    assert folder.token() == WorkFolder(folder.path).token()


def test_two_pages_do_not_work_in_one_folder(tmp_path):
    folder = WorkFolder(tmp_path / "page")
    with folder.lock(), pytest.raises(UsageError, match="Another page works in"):
        WorkFolder(tmp_path / "page").lock()
    folder.lock().close()


def test_excluded_files_are_put_apart_and_come_back(tmp_path):
    folder = WorkFolder(tmp_path / "page")
    for name in ("0001.dcm", "0002.dcm"):
        folder.file("s-1", name).write_bytes(b"x")
    folder.exclude("s-1", {"0002"})
    assert (folder.listing("s-1"), folder.excluded("s-1")) == (["0001.dcm"], ["0002.dcm"])
    folder.exclude("s-1", {"0001"})
    assert (folder.listing("s-1"), folder.excluded("s-1")) == (["0002.dcm"], ["0001.dcm"])
    folder.exclude("s-1", set())
    assert folder.listing("s-1") == ["0001.dcm", "0002.dcm"]
    folder.forget("s-1")
    assert folder.listing("s-1") == folder.excluded("s-1") == []


def test_what_a_killed_server_left_half_written_goes(tmp_path):
    folder = WorkFolder(tmp_path / "page")
    folder.file("s-1", ".0001.dcm.partial").write_bytes(b"x")
    (folder.path / "results" / ".s-1.partial").mkdir()
    (folder.scratch() / "left").mkdir()
    assert list(folder.scratch().iterdir()) == []
    assert list(folder.path.glob("*/.*")) == list(folder.path.glob("*/*/*/.*")) == []
