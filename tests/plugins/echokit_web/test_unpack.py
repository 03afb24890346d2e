"""Archives are unpacked in a process of its own, within limits."""

from __future__ import annotations

import zipfile

from echokit_web.unpack import unpack


def test_files_are_numbered_and_clutter_is_left_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b/Doe A4C.mp4", b"1")
        archive.writestr("b/.DS_Store", b"2")
        archive.writestr("c/", b"")
        archive.writestr("c/x.dcm", b"3")
    (out := tmp_path / "out").mkdir()
    told = unpack(tmp_path / "a.zip", out, 5, 10, 100, 20)
    assert (told.names, told.refused) == (("0005-A4C.mp4", "0006.dcm"), "")
    assert (out / "0006.dcm").read_bytes() == b"3"


def test_more_than_the_limit_is_refused_whatever_the_header_says(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.mp4", bytes(5_000_000))
    told = unpack(tmp_path / "a.zip", tmp_path, 1, 10, 1_000_000, 20)
    assert "more than 1 MB" in told.refused
    assert (tmp_path / "0001.mp4").stat().st_size <= 1_100_000
