"""The CSV manifest: every row is a clip or refused by name."""

import csv
import io
import string

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echokit import ClipError, ClipRef, DataError, Rejection, resolve
from echokit.testing import check_loader

FRAMES = np.arange(3 * 20 * 24, dtype=np.uint16).reshape(3, 20, 24).astype(np.uint8)


def loader(path, **options):
    return resolve("loader", "files", source=str(path), **{"patients": "as-is"} | options)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "v").mkdir()
    for name in ("a", "b", "c"):
        np.save(tmp_path / "v" / f"{name}.npy", FRAMES)
    return tmp_path


def write(folder, text, name="manifest.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def reasons(path, **options):
    return {f.where: f.reason for f in loader(path, **options).index() if isinstance(f, Rejection)}


def test_rows_become_clips(folder):
    path = write(
        folder,
        "clip,patient,view,file,grade, site \n"
        "x1,30,a4c,v/a.npy, 1.5 ,Regensburg\n"
        "x2,130,KAPAP,v/b.npy,,\n"
        ",130,,v/c.npy,0,\n",
    )
    first, second, third = loader(path).index()
    assert (first.clip, first.patient, first.view) == ("x1", "30", "A4C")
    assert dict(first.labels) == {"grade": "1.5", "site": "Regensburg"}
    assert (second.patient, second.view, second.labels["grade"]) == ("130", "KAPAP", "")
    assert (third.clip, third.view) == ("v/c", None)
    assert (loader(path).read(second).frames == FRAMES).all()
    assert {f.view for f in loader(path, view="PLAX").index()} == {"PLAX"}


def test_the_clips_of_a_manifest_are_looked_up_not_gathered_anew(folder):
    path = write(folder, "patient,view,file\n1,A4C,v/a.npy\n2,A4C,v/b.npy\n")
    made = loader(path)
    first, second = made.index()
    assert made._manifest.by_file is made._manifest.by_file
    assert (made._find(first)[0].name, made._find(second)[0].name) == ("a.npy", "b.npy")


def test_a_folder_with_a_manifest_names_the_files_that_it_does_not_list(folder):
    write(folder, "patient,view,file\n1,A4C,v/a.npy\n2,A4C,./v/b.npy\n")
    clips = [f for f in loader(folder).index() if isinstance(f, ClipRef)]
    assert [f.clip for f in clips] == ["v/a", "v/b"]
    assert reasons(folder) == {"v/c.npy": "the manifest does not list it"}
    assert reasons(folder / "manifest.csv") == {}


@pytest.mark.parametrize("separator", [";", "\t", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_spreadsheets_of_other_countries(folder, separator, encoding):
    text = "patient,view,file,Schweregrad\nBär,A4C,v/a.npy,2\n".replace(",", separator)
    (ref,) = loader(write(folder, text, encoding=encoding)).index()
    assert (ref.patient, dict(ref.labels)) == ("Bär", {"Schweregrad": "2"})


def test_columns_of_other_names(folder):
    path = write(folder, "Nummer,KAPap,Pfad,Score PH\n30,A4C,v/a.npy,2 bis 3\n", "s.csv")
    columns = {"patient": "Nummer", "view": "KAPap", "file": "Pfad", "grade": "Score PH"}
    (ref,) = loader(path, columns=columns).index()
    assert (ref.patient, ref.view, dict(ref.labels)) == ("30", "A4C", {"grade": "2 bis 3"})
    with pytest.raises(DataError, match=r"'Numer', which the option `columns`.*Nummer, KAPap"):
        list(loader(path, columns={"patient": "Numer"}).index())


def test_a_later_manifest_needs_none_of_trainings_odd_headers(folder):
    path = write(folder, "patient,view,file\n30,A4C,v/a.npy\n", "later.csv")
    columns = {"patient": "Nummer", "view": "KAPap", "file": "Pfad", "grade": "Score PH"}
    (ref,) = loader(path, columns=columns).index()
    assert (ref.patient, ref.view, ref.where) == ("30", "A4C", "v/a.npy")


UNUSABLE = [
    ("patient,view\n1,A4C\n", "no column 'file'. Columns present: patient, view"),
    ("", "is empty"),
    ("patient,view,file,file\n", "'file' twice"),
    ('patient,view,file\n"1,A4C,v/a.npy\n', "cannot be read as CSV"),
]


@pytest.mark.parametrize(("text", "reason"), UNUSABLE)
def test_a_manifest_that_cannot_be_used(folder, text, reason):
    with pytest.raises(DataError) as caught:
        list(loader(write(folder, text)).index())
    assert reason in str(caught.value)


def test_a_manifest_that_is_not_utf8(folder):
    path = write(folder, "patient,view,file\nBär,A4C,v/a.npy\n", encoding="latin-1")
    with pytest.raises(DataError, match="UTF-8"):
        list(loader(path).index())


ROWS = [
    ("x,1,A4C,v/gone.npy,", "its file does not exist"),
    ("x,,A4C,v/a.npy,", "patient is empty"),
    ("x,1,A4C,,", "file is empty"),
    ("x,1,A4C,../v/a.npy,", "leads out of the manifest's folder"),
    ("x,1,A4C,v/../../a.npy,", "leads out of the manifest's folder"),
    ("x,1,A4C,beyond/a.npy,", "leads out of the manifest's folder"),
    ("x,1,A4C,v/a.npy,,stray", "6 cells under 5 columns"),
    ("x,1,A4C,v/a.npy,perhaps", "cell `synthetic` is none of"),
    ("x,1,A4C,v,", "a folder"),
    ("x,1,A4C,manifest.csv,", "table, not a clip"),
    ("x,1,A4C,v/a\0.npy,", "NUL"),
]


@pytest.mark.parametrize(("row", "reason"), ROWS)
def test_a_row_that_cannot_be_used_is_refused_with_the_reason(folder, row, reason):
    (folder / "beyond").symlink_to(folder.parent)  # a link is followed, and leads out
    (folder.parent / "a.npy").touch()
    path = write(folder, f"clip,patient,view,file,synthetic\n{row}\ny,2,A4C,v/b.npy,\n")
    assert [f.clip for f in loader(path).index() if isinstance(f, ClipRef)] == ["y"]
    assert reason in reasons(path)["x"]
    with pytest.raises(ClipError):
        loader(path).read(ClipRef("x", "1", "A4C", where="v/gone.npy"))


def test_all_rows_of_one_clip_or_one_file_are_refused(folder):
    (folder / "link.npy").symlink_to("v/b.npy")
    path = write(
        folder,
        "clip,patient,view,file\n"
        "x,1,A4C,v/a.npy\nx,2,A4C,v/c.npy\n"
        "y,30,A4C,v/b.npy\nz,130,A4C,link.npy\n",
    )
    assert reasons(path) == {
        "x": "lines 2 and 3 name the same clip; keep one",
        "y": "lines 4 and 5 name the same file; keep one",
        "z": "lines 4 and 5 name the same file; keep one",
    }


def test_a_whole_path_is_its_authors_decision(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    path = write(elsewhere, f"patient,view,file\n1,A4C,{folder / 'v' / 'a.npy'}\n")
    made = loader(path)
    (ref,) = made.index()
    assert len(made.read(ref).frames) == 3


def test_paths_written_on_windows(folder):
    (ref,) = loader(write(folder, "patient,view,file\n1,A4C,v\\a.npy\n")).index()
    assert ref.clip == "v/a"


@pytest.mark.parametrize("word", ["1", "true", "YES"])
def test_synthetic(folder, word):
    path = write(folder, f"patient,view,file,synthetic\n1,A4C,v/a.npy,{word}\n2,A4C,v/b.npy,no\n")
    assert [f.synthetic for f in loader(path).index()] == [True, False]


def test_a_file_that_says_it_is_synthetic_is_believed(folder):
    np.savez(folder / "s.npz", frames=FRAMES, synthetic=True)
    (ref,) = loader(write(folder, "patient,view,file,synthetic\n1,A4C,s.npz,no\n")).index()
    assert ref.synthetic


def test_masks(folder):
    structures = (FRAMES > 99).astype(np.uint8)
    np.savez(folder / "m.npz", structures=structures, names=["RV"])
    np.savez(folder / "short.npz", structures=structures[:2], names=["RV"])
    path = write(
        folder,
        "clip,patient,view,file,masks\n"
        "x,1,A4C,v/a.npy,m.npz\ny,2,A4C,v/b.npy,short.npz\nz,3,A4C,v/c.npy,\n",
    )
    made = loader(path)
    x, y, z = made.index()
    assert (made.read(x).structures == structures).all()
    assert made.read(x).structure_names == ("RV",)
    assert made.read(z).structures is None
    assert "masks" not in x.labels
    with pytest.raises(ClipError, match=r"its masks cannot be used: structures are"):
        made.read(y)
    before = made.fingerprint(x)
    np.savez(folder / "m.npz", structures=structures * 0, names=["RV"])
    assert made.fingerprint(x) != before


CELL = st.text(string.ascii_letters + string.digits + " ,;\"'\n-_äß/", max_size=8)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELL, CELL, CELL, st.sampled_from("abc"), CELL), max_size=4))
def test_every_row_is_a_clip_or_a_rejection_with_its_labels_as_written(folder, rows):
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["clip", "patient", "view", "file", "grade"])
    writer.writerows((c, p, v, f"v/{f}.npy", g) for c, p, v, f, g in rows)
    items = list(loader(write(folder, buffer.getvalue(), "h.csv")).index())
    assert len(items) == len(rows)
    clips = [f.clip for f in items if isinstance(f, ClipRef)]
    assert len(set(clips)) == len(clips)
    for ref, (clip, patient, _, file, grade) in zip(items, rows, strict=True):
        assert isinstance(ref, ClipRef) or ref.reason
        if isinstance(ref, ClipRef):
            assert ref.patient == patient.strip() != ""
            assert ref.clip == (clip.strip() or f"v/{file}")
            assert dict(ref.labels) == {"grade": grade.strip()}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=120))
def test_any_bytes_are_a_manifest_or_refused(folder, data):
    (folder / "h.csv").write_bytes(b"patient,view,file\n" + data)
    try:
        items = list(loader(folder / "h.csv").index())
    except DataError:
        return
    assert all(isinstance(f, Rejection) for f in items)


def test_contract(folder):
    path = write(folder, "patient,view,file\n1,A4C,v/a.npy\n2,A4C,v/b.npy\n3,A4C,gone\n")
    check_loader(loader, str(path))
