"""The folder of a node: names tell nothing, and what a killed node left half written goes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from echokit import UsageError
from echokit_dicom.node.spool import Spool


def test_a_file_is_kept_whole_under_a_name_that_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "received").write_bytes(b"pixels")
    spool = Spool(tmp_path / "node")
    name, digest = spool.keep("1.2.3", "../../1.2.3.4", tmp_path / "received")
    assert (spool.folder / name).read_bytes() == b"pixels"
    assert digest == hashlib.sha256(b"pixels").hexdigest()
    assert "1.2.3" not in name
    assert (spool.folder / name).resolve().is_relative_to(spool.folder.resolve())


def test_only_its_owner_may_look_inside(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "node")
    assert spool.folder.stat().st_mode & 0o077 == 0
    assert spool.token() == spool.token()
    assert (spool.folder / "token").stat().st_mode & 0o177 == 0


def test_what_a_killed_node_left_half_written_goes_and_nothing_else(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "node")
    whole = [spool.result("1.2") / "folder" / "prediction.json", spool.files("1.2") / "a.dcm"]
    half = [
        spool.folder / "results" / ".x.partial" / "prediction.json",
        spool.files("1.2") / ".a.dcm.partial",
        spool.scratch() / "b.dcm",
    ]
    for path in whole + half:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    spool.scratch()
    assert all(path.exists() for path in whole)
    assert not any(path.exists() for path in half)


def test_a_disk_that_is_full_leaves_no_half_of_a_file(tmp_path: Path, monkeypatch) -> None:
    spool = Spool(tmp_path / "node")
    (tmp_path / "received").write_bytes(b"pixels")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        spool.keep("1.2", "1.2.3", tmp_path / "received")
    assert [path for path in spool.files("1.2").rglob("*") if path.is_file()] == []


def test_a_folder_is_for_one_node(tmp_path: Path) -> None:
    with Spool(tmp_path / "node").locked():
        second = Spool(tmp_path / "node").locked()
        with pytest.raises(UsageError, match="Another node works in"), second:
            pass
    with Spool(tmp_path / "node").locked():
        pass
