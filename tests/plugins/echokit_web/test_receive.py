"""What is sent to the idle, well or ill meant."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest


def clip(frames: int = 8) -> bytes:
    made = io.BytesIO()
    np.savez(made, frames=np.zeros((frames, 32, 32), np.uint8), fps=np.float64(25))
    return made.getvalue()


def packed(files: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", kind) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


NAMES = [
    "../../evil.mp4",
    "..\\\\..\\\\evil.mp4",
    "/etc/passwd",
    "C:\\\\Windows\\\\x.dcm",
    "Mustermann^Max_A4C.mp4",
    "<img src=x onerror=alert(1)>.mp4",
    "x" * 3000 + ".mp4",
    ".htaccess",
    "",
    "a\x00b.mp4",
    "%2e%2e%2fevil",
    "con.mp4",
    "\u202egpj.exe",
    "name.mp4/../../x",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_decides_nothing_and_is_kept_nowhere(idle, name):
    before = tree(idle.site.folder.path.parent)
    answer = idle.send({name: b"not a clip"})
    if answer.status != 201:
        assert answer.status in (400, 422)
        return
    study = answer.json["study"]
    new = tree(idle.site.folder.path.parent) - before
    mine = {path for path in new if "/files/" in path}
    assert all(path.startswith(f"page/files/{study}/{study}/0001") for path in mine)
    assert "Mustermann" not in "".join(new)
    told = idle.ask(f"/api/studies/{study}").json
    assert "Mustermann" not in str(told)
    assert "onerror" not in str(told)
    assert idle.ask(f"/api/studies/{study}", method="DELETE").status == 204
    assert not idle.site.folder.source(study).exists()


def test_names_in_an_archive_lead_nowhere(idle):
    inside = {"../../../evil.npz": b"x", "/abs.npz": b"x", "a/__MACOSX/x": b"", "ok_A4C.npz": b"x"}
    answer = idle.send({"study.zip": packed(inside)})
    study = answer.json["study"]
    assert idle.site.folder.listing(study) == ["0001.npz", "0002.npz", "0003-A4C.npz"]
    idle.ask(f"/api/studies/{study}", method="DELETE")


HOSTILE = {
    "a bomb": (lambda: packed({"a.npz": bytes(60_000_000)}), "30 MB"),
    "a file of many files": (lambda: packed({f"{n}.npz": b"" for n in range(60)}), "60 files"),
    "a cut archive": (lambda: packed({"a.npz": clip()})[:-30], "no sound ZIP"),
    "an archive that is none": (lambda: b"PK\x03\x04" + bytes(500), "no sound ZIP"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_archive_that_costs_too_much_is_refused_by_name_and_leaves_nothing(idle, kind):
    make, reason = HOSTILE[kind]
    before = tree(idle.site.folder.path)
    answer = idle.send({"study.zip": make()})
    assert (answer.status, reason in answer.detail) == (422, True), answer.detail
    assert {path for path in tree(idle.site.folder.path) - before if "sqlite" not in path} == set()
    assert not list((idle.site.folder.path / "scratch").iterdir())


def test_an_encrypted_archive_is_refused(idle):
    archive = bytearray(packed({"a.npz": b"x"}, zipfile.ZIP_STORED))
    archive[6] |= 1  # general purpose flag, local header
    archive[archive.index(b"PK\x01\x02") + 8] |= 1  # and central directory
    answer = idle.send({"x.zip": bytes(archive)})
    assert (answer.status, "encrypted" in answer.detail) == (422, True)


def test_an_upload_without_a_file_or_with_too_many_is_refused(idle):
    assert idle.send({}).status in (400, 422)
    answer = idle.send({f"{n}.npz": b"x" for n in range(50)})
    assert answer.status in (400, 422)
    assert idle.ask("/api/studies", b"--x", Content_Type="multipart/form-data").status == 400
    assert idle.ask("/api/studies", b"{}", Content_Type="application/json").status == 422


def test_damaged_and_many_faced_files_are_rejected_by_number_and_the_server_is_up(page):
    rng = random.Random(3)
    whole = clip()
    faces = {f"{n}.npz": bytes(rng.randbytes(4)) + whole[4:] for n in range(3)}
    faces |= {"a.mp4": b"\x00\x00\x00\x18ftypmp42" + rng.randbytes(3000)}
    faces |= {"b.dcm": bytes(128) + b"DICM" + rng.randbytes(3000)}
    faces |= {"c.gif": b"GIF89a" + packed({"x.npz": whole}), "d.npz": whole}
    faces |= {"e.html": b"<script>alert(1)</script>"}
    study = page.send(faces).json["study"]
    told = page.wait(study)
    assert told["state"] == "aside"
    assert told["reason"].count("file ") >= 5
    assert page.ask("/api/studies").status == 200


def hostile(rng: random.Random) -> tuple[str, bytes]:
    """A name and a content that mean harm."""
    begins = (b"PK\x03\x04", b"\x93NUMPY", bytes(128) + b"DICM", b"RIFF", b"GIF89a", b"<html>", b"")
    name = rng.choice(NAMES) + rng.choice(("", ".zip", "/", "\\", "\u0000", ".mp4", "'\"><svg>"))
    content = rng.choice(begins) + rng.randbytes(rng.choice((0, 10, 3000, 100_000)))
    if rng.random() < 0.2:
        content = packed({name.replace("\x00", "") or "x": bytes(rng.choice((10, 9_000_000)))})
    return name, content


def test_two_hundred_hostile_uploads_leave_nothing_outside_and_the_server_up(idle):
    rng = random.Random(16)
    outside = idle.site.folder.path.parent
    before = {path for path in tree(outside) if not path.startswith("page/")}
    kept = 0
    for _ in range(200):
        answer = idle.send(dict([hostile(rng)]))
        assert answer.status in (201, 400, 422), answer.body
        if answer.status == 201:
            kept += 1
            study = answer.json["study"]
            for name in idle.site.folder.listing(study):
                assert len(name) < 20
                assert name.isascii()
            assert idle.ask(f"/api/studies/{study}", method="DELETE").status == 204
    assert kept > 50
    assert {path for path in tree(outside) if not path.startswith("page/")} == before
    assert {path.split("/")[1] for path in tree(outside)} <= {
        *("files", "lock", "queue.sqlite", "queue.sqlite-shm", "queue.sqlite-wal", "token")
    }


def test_a_full_disk_is_told_and_nothing_of_the_upload_is_kept(idle, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = tree(idle.site.folder.path / "files")
    monkeypatch.setattr("echokit_web.receive.shutil.copyfileobj", full)
    answer = idle.send({"a.mp4": b"x"})
    assert (answer.status, "No space left on device" in answer.detail) == (507, True)
    assert tree(idle.site.folder.path / "files") == before
