"""Fifty names, planted in every place a name can stand, appear in no byte that is written."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from files_loader import dataset, save
from openpyxl import Workbook
from pydicom.dataset import Dataset

from echokit.cli import main
from echokit.plugins.registry import registry

HEADS = ("blyx", "quor", "zamt", "wexl", "jyrd", "vokh", "pfuy", "dzim", "xolt", "gnar")
TAILS = ("berg", "mann", "ovsk", "ingt", "huel")
NAMES = [head + tail for head, tail in product(HEADS, TAILS)]
"""Eight letters each, none of them a part of another, and none of a word that echokit writes."""
DICOM = {
    "PatientName": "{0}^{1}",
    "PatientID": "{0}",
    "ViewName": "{0}",
    "SeriesDescription": "{0}",
    "Manufacturer": "{0}",
    "InstitutionName": "{0}",
    "OperatorsName": "{0}",
    "StudyDescription": "{0}",
    "PatientComments": "{0}",
    "Modality": "{0}",
    "PhotometricInterpretation": "{0}",
}
"""Tag -> what is planted in it."""


class Garden:
    """Plants names; knows where each of them stands."""

    def __init__(self) -> None:
        self.left = list(NAMES)
        self.planted: dict[str, str] = {}

    def plant(self, place: str) -> str:
        name = self.left.pop(0)
        self.planted[name] = place
        return name

    def leaks(self, written: bytes) -> list[str]:
        """The places whose names appear in what was written."""
        text = written.lower()
        return [place for name, place in self.planted.items() if name.encode() in text]


def array(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = np.random.default_rng(seed).integers(0, 255, (12, 16, 16), dtype=np.uint8)
    with path.open("wb") as file:
        np.save(file, frames)
    return path


def dicom(**tags: object) -> Dataset:
    frames = np.random.default_rng(0).integers(0, 255, (12, 16, 16), dtype=np.uint8)
    return dataset(frames, "MONOCHROME2", **{"Rows": 16, "Columns": 16} | tags)


def a_study(root: Path, garden: Garden) -> Path:
    """A folder of one patient's files, used and refused."""
    plant = garden.plant
    study = root / plant("folder of the study")
    array(study / plant("folder of a patient") / plant("folder below") / "A4C.npy", 1)
    array(study / f"{plant('file, before the view')}_A4C.npy", 2)
    array(study / f"A4C_{plant('file, after the view')}.npy", 3)
    array(study / f"{plant('file, run together')}baby A4C.npy", 4)
    array(study / "A4C" / "30WUXIQZ.npy", 5)
    garden.planted["wuxiqz"] = "file, as if it were a view"
    (study / f"{plant('refused file')}.txt").write_text("a")
    (study / f"notes.{plant('suffix')}").write_text("a")
    (study / f".{plant('hidden file')}").write_text("a")
    array(study / plant("folder of a refused file") / "still.png").write_bytes(
        b"\x89PNG" + b"0" * 99
    )
    (study / plant("link")).symlink_to(plant("target of a link"))
    for tag, text in DICOM.items():
        planted = text.format(*(plant(f"DICOM {tag}") for _ in range(text.count("{"))))
        planted = (
            planted.upper()
            if tag in ("Modality", "SeriesDescription", "PhotometricInterpretation")
            else planted
        )
        save(dicom(**{"ViewName": "A4C"} | {tag: planted}), study / f"{tag}.dcm")
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "1", plant("DICOM ViewCodeSequence")
    save(dicom(ViewCodeSequence=[item]), study / "code.dcm")
    return study


def a_cohort(root: Path, garden: Garden) -> Path:
    """A manifest with patients of both labels, and rows that are refused."""
    plant = garden.plant
    folder = root / plant("folder of a manifest")
    rows = []
    for number in range(10):
        name = plant("manifest: patient") if number == 0 else f"p{number}"
        file = plant("manifest: file") if number == 1 else f"f{number}"
        array(folder / f"{file}.npy", number)
        more = plant("manifest: other column") if number == 2 else ""
        rows.append((name, "A4C", f"{file}.npy", "02"[number % 2], more, ""))
    array(folder / "odd.npy", 11)
    (folder / (masks := f"{plant('manifest: masks')}.npz")).write_bytes(b"no masks")
    array(folder / "masked.npy", 13)
    rows.append(("q7", "A4C", "masked.npy", "0", "", "", masks))
    rows.append(("q1", plant("manifest: view"), "odd.npy", "0", "", ""))
    array(folder / "unmapped.npy", 12)
    rows.append(("q2", "A4C", "unmapped.npy", plant("manifest: grade"), "", ""))
    rows.append((plant("manifest: patient of a refused row"), "A4C", "gone.npy", "0", "", ""))
    rows.append(("q3", "A4C", f"{plant('manifest: missing file')}.npy", "0", "", ""))
    rows.append(("q4", "A4C", f"../{plant('manifest: file outside')}.npy", "0", "", ""))
    rows.append(("q5", "A4C", "odd2.npy", "0", "", plant("manifest: synthetic")))
    rows.append(("q6", "A4C", "odd2.npy", "0", "", "", "", plant("manifest: cell too many")))
    head = ("patient", "view", "file", "grade", plant("manifest: column"), "synthetic", "masks")
    path = folder / f"{plant('manifest: its own name')}.csv"
    path.write_text("\n".join(",".join(row) for row in [head, *rows]) + "\n")
    return path


def a_sheet(root: Path, garden: Garden) -> Path:
    """A folder in the newborn study's layout."""
    plant = garden.plant
    folder = root / "layout"
    folder.mkdir()
    for name in (plant("sheet: file of a clip"), "30", "031", "31"):
        (folder / f"{name}KAPAP.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42")
    book = Workbook()
    number, grade, twice = plant("sheet: number"), plant("sheet: grade"), plant("sheet: two grades")
    for row in ([], [], ["Nummer", "KAPap", "Score PH", plant("sheet: column")]):
        book.active.append(row)
    for row in ([number, "", 1, ""], [30, "", grade, ""], [31, "", 1, plant("sheet: cell")]):
        book.active.append(row)
    book.active.append([31, "", twice, ""])
    book.save(folder / f"{plant('sheet: its own name')}.xlsx")
    return folder


@pytest.fixture
def echokit(monkeypatch, capfd, tmp_path, tiny_plugin):
    """Run a command in an empty folder of its own; return what it wrote to the terminal."""
    import echokit_io

    registry().add(echokit_io, "echokit-cardiac:io")
    work = tmp_path / "work"
    (work / "tmp").mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(work / "tmp"))
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # temporary files stay, to be read
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("ECHOKIT_CONFIG", str(tmp_path / "own"))

    def call(*words: object) -> bytes:
        monkeypatch.setattr(sys, "argv", ["echokit", *map(str, words)])
        with pytest.raises(SystemExit):
            main()
        return "".join(capfd.readouterr()).encode()

    call.work = work
    return call


def everything(folder: Path) -> bytes:
    """Every byte below a folder, names of files included."""
    parts = []
    for path in sorted(folder.rglob("*")):
        parts.append(os.fsencode(path.relative_to(folder)))
        if path.is_file():
            parts.append(path.read_bytes())
    return b"\n".join(parts)


FILES = (
    "--set",
    "study.use=files",
    "--set",
    "train.epochs=1",
    "--set",
    "train.n=1",
    "--set",
    "split.splits=1",
)


def test_no_planted_name_is_written(echokit, tmp_path):
    garden, outside = Garden(), tmp_path / "outside"
    outside.mkdir()
    study, table = a_study(outside, garden), a_cohort(outside, garden)
    sheet = a_sheet(outside, garden)
    assert len(garden.planted) >= 40
    told = {}
    for name, source in {"study": study, "manifest": table, "sheet": sheet}.items():
        told[f"data check {name}"] = echokit("data", "check", source, "--loader", "files")
        told[f"data check {name} --json"] = echokit(
            "data", "check", source, "--loader", "files", "--json"
        )
    told["run"] = echokit("run", "tiny-study", "--data", table, *FILES)
    told["predict"] = echokit("predict", "runs/tiny-study", study, "--view", "A4C")
    assert b"Report:" in told["run"], told["run"].decode()
    assert b"Page:" in told["predict"], told["predict"].decode()
    leaks = {command: garden.leaks(text) for command, text in told.items()}
    for place in ("runs/tiny-study", "runs/store.zarr", *Path().glob("predictions/*")):
        assert Path(place).stat().st_mode & 0o777 == 0o700, place
    leaks["files"] = garden.leaks(everything(echokit.work))
    assert {command: places for command, places in leaks.items() if places} == {}


def test_a_run_finds_its_data_again_and_pixels_are_forgotten_when_asked(
    echokit, tmp_path, monkeypatch
):
    table = a_cohort(tmp_path / "outside", Garden())
    assert b"Report:" in echokit("run", "tiny-study", "--data", table, *FILES)
    run = Path("runs/tiny-study")
    assert 'source = "private:' in (run / "recipe.toml").read_text()
    clips = (run / "cohort.csv").read_text()
    moved = (tmp_path / "outside").rename(tmp_path / "elsewhere")
    assert b"no file or folder" in echokit("run", "--resume", run)
    table = next(moved.glob("*/*.csv"))
    assert b"Report:" in echokit("run", "--resume", run, "--data", table)
    assert (run / "cohort.csv").read_text() == clips
    with monkeypatch.context() as changed:
        changed.setenv("ECHOKIT_SALT", "another")
        assert b"pseudonyms by another secret" in echokit("run", "--resume", run)
    told = echokit("data", "forget", run, "--yes")
    assert b"Page, without pictures" in told, told.decode()


def test_a_key_file_tells_its_owner_who_is_who(echokit, tmp_path):
    garden, outside = Garden(), tmp_path / "outside"
    outside.mkdir()
    study = a_study(outside, garden)
    told = echokit("data", "check", study, "--loader", "files", "--key-file", "key.csv").decode()
    key = dict(line.split(",", 1) for line in Path("key.csv").read_text().splitlines()[1:])
    assert Path("key.csv").stat().st_mode & 0o777 == 0o600
    [patient] = [name for name, original in key.items() if original == "MRN-4711"]
    assert patient in told
    for line in told.splitlines():
        if line.startswith("rejected: file "):
            assert line.split(":")[1].strip() in key
    again = echokit("data", "check", study, "--loader", "files", "--key-file", "key.csv").decode()
    assert "exists already" in again
