"""Folders: every file is a clip or refused by name; views, patients and identifiers from paths."""

import hashlib
import os
import re
import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echokit import VIEWS, ClipError, ClipRef, DataError, OptionError, Rejection, pseudonym, resolve
from echokit.testing import check_loader

FRAMES = np.arange(3 * 20 * 24, dtype=np.uint16).reshape(3, 20, 24).astype(np.uint8)


def loader(path, **options):
    return resolve("loader", "files", source=str(path), **{"patients": "as-is"} | options)


def tree(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.save(file, FRAMES)
    return root


def test_no_file_is_passed_over_in_silence(tmp_path):
    tree(tmp_path, "good.npy", "deep/er/also.npy", ".hidden.npy", ".git/object.npy")
    (tmp_path / "letter.dcm").write_text("Dear colleague, " * 40)
    (tmp_path / "sheet.csv").write_text("a,b\n")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "still.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    (tmp_path / "no-video.avi").write_bytes(b"RIFF" + bytes(400))
    (tmp_path / "old.pkl").write_bytes(b"\x80\x04\x95" + bytes(200))
    (tmp_path / "brain.nii").write_bytes(bytes(344) + b"n+1\x00" + bytes(100))
    items = list(loader(tmp_path).index())
    reasons = {f.where: f.reason for f in items if isinstance(f, Rejection)}
    assert [f.where for f in items if isinstance(f, ClipRef)] == ["deep/er/also.npy", "good.npy"]
    assert [f.where for f in items] == sorted(f.where for f in items)
    assert "is not a DICOM file: no DICM marker" in reasons.pop("letter.dcm")
    assert "table, not a clip" in reasons.pop("sheet.csv")
    assert reasons.pop("empty.mp4") == "it is empty"
    assert "not a clip" in reasons.pop("notes.txt")
    assert "still image (PNG)" in reasons.pop("still.png")
    assert "not a video" in reasons.pop("no-video.avi")
    assert "pickle" in reasons.pop("old.pkl")
    assert "NIfTI" in reasons.pop("brain.nii")
    assert "hidden" in reasons.pop(".hidden.npy")
    assert "hidden" in reasons.pop(".git")
    assert not reasons


@pytest.mark.skipif(os.name == "nt", reason="POSIX special files")
def test_special_files_are_refused_without_being_opened(tmp_path, monkeypatch):
    tree(tmp_path, "good.npy", "sub/other.npy")
    os.mkfifo(tmp_path / "fifo.dcm")
    (tmp_path / "loop.npy").symlink_to("loop.npy")
    (tmp_path / "nothing.npy").symlink_to("gone.npy")
    (tmp_path / "again").symlink_to(".", target_is_directory=True)
    (tmp_path / "sub" / "up").symlink_to("..", target_is_directory=True)
    (tmp_path / "alias.npy").symlink_to("good.npy")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.dcm")
        items = {f.where: f for f in loader(".").index()}
    reasons = {where: f.reason for where, f in items.items() if isinstance(f, Rejection)}
    assert set(items) - set(reasons) == {"good.npy", "alias.npy", "sub/other.npy"}
    assert reasons == {
        "fifo.dcm": "it is a FIFO, not a regular file",
        "socket.dcm": "it is a socket, not a regular file",
        "loop.npy": "it is a link that leads in a circle",
        "nothing.npy": "it is a link to nothing",
        "again": "it is a link to a folder; links to folders are not followed",
        "sub/up": "it is a link to a folder; links to folders are not followed",
    }


def test_a_name_that_is_not_utf8_is_refused_in_printable_words(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.npy")).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (item,) = loader(tmp_path).index()
    assert "UTF-8" in item.reason
    item.where.encode()


PATHS = [
    ("30_A4C.npy", "30", "A4C"),
    ("A4C_4.npy", "4", "A4C"),
    ("30KAPAP.npy", "30", "KAPAP"),
    ("130psax-p.npy", "130", "PSAX-P"),
    ("30/PLAX.npy", "30", "PLAX"),
    ("30/study 2/PSAX_S_01.npy", "30", "PSAX-S"),
    ("PLAX/30.npy", "30", "PLAX"),
    ("A4C/Videos/CR32.npy", "CR32", "A4C"),
    ("Videos/0X1A2B.npy", "0X1A2B", None),
    ("ann/ann_PLAX_vs_A4C.npy", "ann", None),
    ("anna/flax.npy", "anna", None),
    ("1.2.840.55.npy", "1.2.840.55", None),
]


def test_a_file_that_is_no_clip_is_named_by_its_number(tmp_path):
    tree(tmp_path, "b/30_A4C.npy")
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "c.txt").write_text("c")
    found = list(loader(tmp_path, patients="hash").index())
    assert [f.where for f in found] == ["file 1", "b/30_A4C.npy", "file 3"]


@pytest.mark.parametrize(("path", "patient", "view"), PATHS)
def test_patient_view_and_identifier_from_a_path(path, patient, view, tmp_path):
    (plain,) = loader(tree(tmp_path, path)).index()
    (hashed,) = loader(tmp_path, patients="hash").index()
    assert (plain.patient, plain.view) == (patient, view)
    assert plain.clip == path.removesuffix(".npy")
    assert (hashed.patient, hashed.view) == (pseudonym(patient), view)
    shown = view if view in VIEWS else "clip"
    assert re.fullmatch(rf"{pseudonym(patient)}-{shown}-[0-9a-f]{{8}}", hashed.clip)
    assert hashed.where == plain.where == path


def test_views_as_file_names_belong_to_the_folder_given(tmp_path):
    study = tree(tmp_path / "baby-7", "A4C.npy", "PLAX.npy")
    assert {f.patient for f in loader(study).index()} == {"baby-7"}
    assert {f.patient for f in loader(study / "A4C.npy").index()} == {"baby-7"}


def test_the_option_view_goes_before_every_name(tmp_path):
    (item,) = loader(tree(tmp_path, "30_A4C.npy"), view="psax_p").index()
    assert item.view == "PSAX-P"


def test_equal_identifiers_are_told_apart(tmp_path):
    tree(tmp_path, "30_A4C.npy", "x/30_A4C.npy", "y/30_A4C.npy")
    np.savez(tmp_path / "30_A4C.npz", FRAMES)
    (tmp_path / "p-1").mkdir()
    plain = [f.clip for f in loader(tmp_path, patients="as-is").index()]
    assert plain == ["30_A4C.npy", "30_A4C.npz", "x/30_A4C", "y/30_A4C"]
    assert len({f.clip for f in loader(tmp_path, patients="hash").index()}) == 4


@given(
    st.lists(
        st.text("abAB01.-_ ", min_size=1, max_size=6).map(lambda s: f"x{s}"),
        min_size=1,
        max_size=8,
        unique=True,
    )
)
def test_identifiers_are_unique(names):
    from pathlib import PurePosixPath

    from echokit_io.naming import unique

    paths = [PurePosixPath(name, f"v.{kind}") for name in names for kind in ("npy", "mp4")]
    for level in range(3):
        identifiers = [str(p.with_suffix(""))[:level] for p in paths]
        names = unique(identifiers, paths)
        assert len(set(names)) == len(paths)
        assert unique(identifiers[::-1], paths[::-1]) == names[::-1]


def test_one_file(tmp_path):
    tree(tmp_path, "30_A4C.npy", "31_A4C.npy")
    single = loader(tmp_path / "30_A4C.npy")
    (ref,) = single.index()
    assert (single.read(ref).frames == FRAMES).all()
    assert (
        single.fingerprint(ref) == hashlib.sha256((tmp_path / ref.where).read_bytes()).hexdigest()
    )


@pytest.mark.parametrize("where", ["../30_A4C.npy", "/etc/passwd", "", "no/such", "a\0b"])
def test_an_address_that_is_not_below_the_source_is_refused(where, tmp_path):
    tree(tmp_path, "30_A4C.npy", "in/31_A4C.npy")
    with pytest.raises(ClipError):
        loader(tmp_path / "in").read(ClipRef("x", "p", None, where=where))


@pytest.mark.parametrize("source", ["", "no/such/place", "a\0b"])
def test_a_source_that_is_not_there(source):
    with pytest.raises(DataError, match=r"source|no file"):
        loader(source)


def test_options_are_checked(tmp_path):
    with pytest.raises((OptionError, TypeError), match="as-is"):  # a type checker may be first
        loader(tmp_path, patients="none")
    with pytest.raises(OptionError, match="did you mean 'view'"):
        loader(tmp_path, vew="A4C")


def test_index_decodes_nothing(tmp_path, monkeypatch):
    tree(tmp_path, "30_A4C.npy")
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("read"))
    assert len(list(loader(tmp_path).index())) == 1


def test_contract(tmp_path):
    check_loader(loader, str(tree(tmp_path, "30_A4C.npy", "b/PLAX.npy", "c/PLAX.npy")))


def test_folders_that_go_down_for_ever_are_named(tmp_path):
    tmp_path.joinpath(*["d"] * 60).mkdir(parents=True)
    (item,) = loader(tmp_path).index()
    assert item.where == "/".join(["d"] * 51)
    assert "50 folders deep" in item.reason
