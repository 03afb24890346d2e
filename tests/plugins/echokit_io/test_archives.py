"""ZIP and tar archives: what they hold is read, nothing leaves them, and no bomb goes off."""

from __future__ import annotations

import gc
import io
import pickle
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from bombs import zipped
from files_loader import dataset, save

from echokit import ClipRef, Rejection, resolve
from echokit.testing import check_loader

FRAMES = np.arange(3 * 20 * 24, dtype=np.uint16).reshape(3, 20, 24).astype(np.uint8)


def npy(seed: int = 0) -> bytes:
    made = io.BytesIO()
    np.save(made, FRAMES + seed)
    return made.getvalue()


def loader(path: Path, **options: object):
    return resolve("loader", "files", source=str(path), **{"patients": "as-is"} | options)


def packed(path: Path, members: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return path
    kinds = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".tar": "w"}
    with tarfile.open(path, kinds[path.suffix]) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


KINDS = ["study.zip", "study.tar", "study.tar.gz", "study.tgz", "study.tar.bz2"]
MEMBERS = {"a/A4C.npy": npy(1), "a/deep/PLAX": npy(2), "notes.txt": b"a", ".hidden.npy": npy()}


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("name", KINDS)
def test_members_are_listed_and_read_like_files(name, alone, tmp_path):
    path = packed(tmp_path / name, MEMBERS)
    found = loader(path if alone else tmp_path)
    items = {item.where: item for item in found.index()}
    assert list(items) == [f"{name}/{member}" for member in sorted(MEMBERS)]
    refs = [item for item in items.values() if isinstance(item, ClipRef)]
    assert [(ref.view, ref.patient) for ref in refs] == [("A4C", "study"), ("PLAX", "study")]
    for ref, seed in zip(refs, (1, 2), strict=True):
        assert (found.read(ref).frames == FRAMES + seed).all()
    assert "hidden" in items[f"{name}/.hidden.npy"].reason
    assert "not a clip" in items[f"{name}/notes.txt"].reason


def test_it_is_a_loader_as_any_other(tmp_path):
    packed(tmp_path / "study.zip", {"p1/A4C.npy": npy(1), "p2/A4C.npy": npy(2), "a.txt": b"a"})
    check_loader(loader, str(tmp_path))


def test_another_process_and_a_new_loader_read_the_same(tmp_path):
    packed(tmp_path / "study.zip", MEMBERS)
    first = loader(tmp_path)
    ref = next(item for item in first.index() if isinstance(item, ClipRef))
    for other in (pickle.loads(pickle.dumps(first)), loader(tmp_path)):
        assert (other.read(ref).frames == first.read(ref).frames).all()
        assert other.fingerprint(ref) == first.fingerprint(ref)


def test_what_was_unpacked_is_private_and_goes_with_the_loader(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    found = loader(packed(tmp_path / "study.zip", MEMBERS))
    list(found.index())
    (folder,) = (tmp_path / "tmp").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not any("A4C" in path.name for path in folder.rglob("*"))
    del found
    gc.collect()
    assert list((tmp_path / "tmp").iterdir()) == []


LEADING = ["../out.npy", "/etc/out.npy", "a/../../out.npy", "..\\out.npy", "C:\\out.npy"]


@pytest.mark.parametrize("kind", ["study.zip", "study.tar"])
@pytest.mark.parametrize("name", LEADING)
def test_no_member_leaves_the_archive(kind, name, tmp_path):
    (tmp_path / "in").mkdir()
    packed(tmp_path / "in" / kind, {name: npy(), "notes.txt": b"a"})
    items = list(loader(tmp_path / "in").index())
    assert all(isinstance(item, Rejection) for item in items)
    assert ["leads out of the archive" in item.reason for item in items].count(True) == 1
    assert [path.name for path in tmp_path.rglob("*out*")] == []


def test_links_and_devices_are_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in (("l", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("d", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    reasons = [item.reason for item in loader(tmp_path).index()]
    assert len(reasons) == 4
    assert all("a link" in reason for reason in reasons)


def test_an_archive_that_unpacks_to_more_than_allowed_is_refused_whole(tmp_path, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    big = {f"{n}.mp4": bytes(600_000) for n in range(4)}
    for name in KINDS:
        packed(tmp_path / name, big)
        found = loader(tmp_path / name, limits={"unpacked": 1})
        (item,) = found.index()
        assert "limits.unpacked" in item.reason
        assert [p for p in (tmp_path / "tmp").rglob("*") if p.is_file()] == []


def test_a_member_larger_than_any_clip_is_refused_by_itself(tmp_path):
    zipped(tmp_path / "bomb.zip", {"a.dcm": (b"", 40_000_000), "b.npy": (npy(), 0)})
    items = list(loader(tmp_path, limits={"memory": 3}).index())
    assert [type(item) for item in items] == [Rejection, ClipRef]
    assert "limits.memory" in items[0].reason


def test_a_header_that_asks_for_gigabytes_is_refused(tmp_path):
    info = tarfile.TarInfo("a")
    info.type, info.size = tarfile.XHDTYPE, 2**32
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + bytes(4096))
    (item,) = loader(tmp_path).index()
    assert "absurdly large" in item.reason


def test_a_damaged_archive_is_one_rejection(tmp_path):
    for name in KINDS:
        whole = packed(tmp_path / name, {"A4C.npy": npy() + np.random.default_rng(0).bytes(90_000)})
        whole.write_bytes(whole.read_bytes()[:50_000])
    items = list(loader(tmp_path).index())
    assert {type(item) for item in items} == {Rejection}
    assert len(items) == len(KINDS)


def test_archives_in_archives_and_documents_are_refused(tmp_path):
    inner = packed(tmp_path / "inner.zip", MEMBERS).read_bytes()
    (tmp_path / "inner.zip").unlink()
    packed(tmp_path / "outer.zip", {"inner.zip": inner})
    packed(tmp_path / "letter.zip", {"[Content_Types].xml": b"a"}).rename(tmp_path / "letter.docx")
    reasons = {item.where: item.reason for item in loader(tmp_path).index()}
    assert set(reasons) == {"outer.zip/inner.zip", "letter.docx"}
    assert all("unpack it first" in reason for reason in reasons.values())


def test_two_members_of_one_name_are_not_mixed_up(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for seed in (1, 2):
            info = tarfile.TarInfo("A4C.npy")
            info.size = len(npy(seed))
            archive.addfile(info, io.BytesIO(npy(seed)))
    found = loader(tmp_path)
    items = list(found.index())
    assert sorted(type(item).__name__ for item in items) == ["ClipRef", "Rejection"]
    ref = next(item for item in items if isinstance(item, ClipRef))
    assert (found.read(ref).frames == FRAMES + 1).all()


def test_a_dicomdir_stands_for_its_disc(tmp_path):
    disc = tmp_path / "DISC" / "IMAGES"
    disc.mkdir(parents=True)
    save(dataset(np.zeros((4, 40, 56), np.uint8), "MONOCHROME2"), disc / "IM000001")
    index = dataset(np.zeros((4, 40, 56), np.uint8), "MONOCHROME2")
    index.SOPClassUID = index.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    save(index, tmp_path / "DISC" / "DICOMDIR")
    items = {item.where: item for item in loader(tmp_path / "DISC" / "DICOMDIR").index()}
    assert isinstance(items["IMAGES/IM000001"], ClipRef)
    assert "DICOMDIR" in items["DICOMDIR"].reason
