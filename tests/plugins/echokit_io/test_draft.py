"""A manifest is drafted from a folder and a table with odd headers."""

import csv
import stat

import numpy as np
import pytest
from typer.testing import CliRunner

from echokit import VIEWS, ClipRef, DataError, resolve
from echokit.cli import app
from echokit_io.draft import Draft, draft, guess_columns, write_draft
from echokit_io.naming import SPELLINGS, canonical

HEAD = "Study ID;Window;File name;PH severity;EF (%);fold"


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        for view in ("4CH", "Longaxis"):
            frames = np.zeros((4, 8, 8), np.uint8)
            np.save(tmp_path / f"case{number:03d}_{view}.npy", frames)
    (tmp_path / "letter.txt").write_text("a")
    return tmp_path


def labels(folder, rows):
    path = folder / "labels.csv"
    path.write_text("\n".join([HEAD, *rows]) + "\n")
    return path


def test_every_spelling_of_a_view_is_known_and_means_one_view(tmp_path):
    for view, words in SPELLINGS.items():
        for word in (view, *words):
            for spelled in (word, word.upper(), word.replace(" ", "_"), word.replace(" ", "")):
                assert canonical(spelled) == view, spelled
    spelled = [canonical(word) for words in SPELLINGS.values() for word in words]
    assert set(spelled) == set(VIEWS)


@pytest.mark.parametrize("view", ["4CH", "Apical 4", "apical-4-chamber", "Longaxis", "PSAX_AV"])
def test_a_spelling_in_a_files_name_is_not_part_of_the_patient(view, tmp_path):
    np.save(tmp_path / f"case003_{view}.npy", np.zeros((4, 8, 8), np.uint8))
    (ref,) = resolve("loader", "files", source=str(tmp_path), patients="as-is").index()
    assert (ref.patient, ref.view) == ("case003", canonical(view))


def test_odd_headers_are_understood():
    assert guess_columns(HEAD.split(";")) == {
        "patient": "Study ID",
        "view": "Window",
        "file": "File name",
    }
    assert guess_columns(["Nummer", "Score PH"]) == {"patient": "Nummer"}


def test_a_folder_and_a_table_become_a_manifest_that_is_read(folder):
    rows = [f"{n};4CH;case{n:03d}_4CH.npy;{n % 2};60;{n % 2}" for n in range(3)]
    labels(folder, [*rows, "9;4CH;gone.npy;1;60;1"])
    done = CliRunner().invoke(app, ["data", "manifest", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "8 clips of 4 patients" in done.output
    assert "column patient: from 'Study ID'" in done.output
    assert "view '4CH': A4C" in done.output
    assert "5 clips have no row" in done.output
    assert "1 rows have no clip, such as line 5" in done.output
    path = folder / "manifest.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = list(resolve("loader", "files", source=str(path)).index())
    assert all(isinstance(f, ClipRef) for f in found)
    with path.open(newline="") as file:
        first = next(iter(csv.DictReader(file)))
    assert (first["patient"], first["view"], first["PH severity"]) == ("0", "A4C", "0")


def test_a_table_of_patients_alone_labels_all_of_their_clips(folder):
    (folder / "grades.csv").write_text("Nummer,Score PH\n1,2\n003,0\n")
    drafted = draft(folder, None)
    graded = {row[0]: row[3] for row in drafted.rows[1:] if row[3]}
    assert graded == {"1": "2", "003": "0"}
    assert len(drafted.unmatched_files) == 4


def test_what_cannot_be_drafted_is_refused(folder, tmp_path):
    (folder / "odd.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"names patients or files. Columns present: a, b"):
        draft(folder, folder / "odd.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no clip"):
        draft(tmp_path / "empty", None)
    (folder / "manifest.csv").write_text("patient,view,file\n")
    with pytest.raises(DataError, match="exists already"):
        write_draft(Draft({}, (), {}, (), (), 0), folder / "manifest.csv")
