"""From an archive and back, as it is typed: `echokit predict RUN dicomweb:... --send ...`."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from dciodvfy import errors
from dicom_study import MRN, NAME, encoded
from PIL import Image
from pydicom import dcmread
from traced import connections

from echokit import resolve

STUDY = "1.2.826.0.1.3680043.10.1561.77"
NAMES = (MRN, *NAME.split("^"))


@pytest.fixture
def study(archive, tmp_path):
    """Two synthetic clips of a patient with a name, in the archive."""
    made = resolve("loader", "phantom", patients=1, views=["PLAX", "A4C"], size=128, frames=24)
    made.write(tmp_path / "clips", "dicom")
    for path in (tmp_path / "clips").rglob("*.dcm"):
        ds = dcmread(path)
        ds.SpecificCharacterSet = "ISO_IR 100"
        ds.PatientName, ds.PatientID, ds.StudyInstanceUID = NAME, MRN, STUDY
        ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20260301", "080000", "A-77"
        archive.put(encoded(ds))
    return archive


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_study_goes_out_and_its_results_come_back_once(study, echokit, tmp_path):
    before = set(study.instances())
    source = f"dicomweb:{study.web}?StudyInstanceUID={STUDY}"
    words = ["--write", "folder", "--write", "dicom-sr", "--write", "dicom-sc", "--judge-anyway"]
    done = echokit(
        "predict", "demo", source, *words, "--send", f"dicomweb:{study.web}",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Page: " in done.stdout
    assert "sent.txt" in done.stdout

    objects = [path for path in files(tmp_path / "out") if path.suffix == ".dcm"]
    assert len(objects) == 3
    for path in objects:
        made = dcmread(path)
        assert errors(path) == []
        assert (made.StudyInstanceUID, made.PatientID, str(made.PatientName)) == (STUDY, MRN, NAME)
        assert study.file(made.SOPInstanceUID) == path.read_bytes()
    assert set(study.instances()) - before == {dcmread(path).SOPInstanceUID for path in objects}
    (report,) = (dcmread(path) for path in objects if path.name.startswith("report"))
    named = {
        item.ReferencedSOPInstanceUID
        for series in report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert named <= before

    film = next(dcmread(path) for path in objects if path.name.startswith("saliency"))
    held = study.instances()[film.SOPInstanceUID]
    shown = Image.open(io.BytesIO(study.get(f"/instances/{held}/frames/3/preview").content))
    assert (np.asarray(shown.convert("RGB")) == film.pixel_array[3]).all()

    # nobody is named but in the headers of DICOM objects
    shown_words = done.stdout + done.stderr
    for path in files(tmp_path / "out"):
        shown_words += path.name
        if path.suffix in (".json", ".txt", ".html"):
            shown_words += path.read_text("utf-8")
    assert [name for name in NAMES if name in shown_words] == []

    asked = f"dimse:{study.dimse}?AccessionNumber=A-77"
    again = echokit(
        "predict", "demo", asked, *words[2:], "--send", f"dimse:{study.dimse}",
        "--out", tmp_path / "again",
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    receipts = [path.read_text() for path in files(tmp_path / "again") if path.name == "sent.txt"]
    assert "".join(receipts).count("already in") == 3
    assert len(study.instances()) == len(before) + 3


def test_it_connects_to_the_archive_and_nowhere_else(study, tmp_path):
    command = [
        *(sys.executable, "-m", "echokit", "predict", "demo"),
        f"dicomweb:{study.web}?StudyInstanceUID={STUDY}",
        *("--write", "dicom-sr", "--send", f"dimse:{study.dimse}", "--judge-anyway", "--quiet"),
        *("--no-saliency", "--out", str(tmp_path / "out")),
    ]
    done, reached = connections(command, tmp_path / "trace")
    assert done.returncode == 0, done.stderr
    assert reached == {("127.0.0.1", study.http_port), ("127.0.0.1", study.dicom_port)}


def test_an_archive_that_is_not_there_is_one_sentence(echokit, tmp_path, monkeypatch):
    source = f"dimse:ARCHIVE@127.0.0.1:9?PatientID={MRN}"
    done = echokit("predict", "demo", source, "--set", "tries=1", "--out", tmp_path / "out")
    assert done.returncode == 3
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
    assert MRN not in done.stderr
    assert not (tmp_path / "out").exists()


def test_send_without_a_writer_that_sends_is_refused(echokit, tmp_path):
    done = echokit("predict", "demo", tmp_path, "--send", "dicomweb:http://127.0.0.1:9")
    assert done.returncode == 2
    assert "dicom-sr" in done.stderr
