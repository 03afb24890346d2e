"""Results of DICOM clips, as objects and as PDF."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pydicom import dcmread

from echokit_web import downloads

NAME = "Mustermann"


@pytest.fixture(scope="module")
def study(page, echokit, tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("dicom") / "cohort"
    words = ("--patients", "1", "--size", "96", "--frames", "40", "--seed", "5")
    assert echokit("data", "phantom", "--out", out, *words).returncode == 0
    files = {}
    for path in sorted(out.rglob("*.dcm")):
        clip = dcmread(path)
        clip.PatientName, clip.PatientID = f"{NAME}^<script>alert(1)</script>", f"{NAME}-7"
        clip.save_as(made := io.BytesIO())
        files[f"{NAME}-{path.name}"] = made.getvalue()
    study: str = page.send(files).json["study"]
    assert page.wait(study)["state"] == "done"
    return study


def test_a_report_is_of_the_clips_own_patient_and_study(page, study):
    answer = page.ask(f"/api/studies/{study}/download/dicom-sr")
    report = dcmread(io.BytesIO(answer.body))
    folder = page.site.folder.source(study) / study
    clip = dcmread(next(iter(sorted(folder.iterdir()))), stop_before_pixels=True)
    assert report.Modality == "SR"
    assert report.StudyInstanceUID == clip.StudyInstanceUID
    assert report.PatientID == clip.PatientID
    assert f'filename="{study}.dcm"' in answer.headers["content-disposition"]


def test_a_capture_is_a_picture_of_several_frames(page, study):
    answer = page.ask(f"/api/studies/{study}/download/dicom-sc")
    assert int(dcmread(io.BytesIO(answer.body)).NumberOfFrames) > 1


@pytest.mark.skipif(not Path("/usr/bin/chromium").is_file(), reason="Chromium prints the PDF")
def test_the_pdf_is_the_page(page, study):
    answer = page.ask(f"/api/studies/{study}/download/pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body.startswith(b"%PDF-")


def test_a_result_is_sent_to_the_archive_that_the_page_was_started_with(page, study, monkeypatch):
    sent: list[tuple[str, str]] = []

    def resolve(kind: str, name: str, send: str):
        def write(result, out):
            sent.append((name, send))
            out.mkdir()
            (out / "one.dcm").write_bytes(b"x")
            return [out / "one.dcm"]

        return write

    monkeypatch.setattr(downloads, "resolve", resolve)
    monkeypatch.setattr(page.site, "send", "dimse:ARCHIVE@127.0.0.1:4242")
    assert page.ask(f"/api/studies/{study}/send", method="POST").json == {"sent": 2}
    address = "dimse:ARCHIVE@127.0.0.1:4242"
    assert sent == [("dicom-sr", address), ("dicom-sc", address)]
    assert page.site.queue.events(study)[-1].event == "sent"


def test_a_second_run_judges_the_same_study_beside_the_first(page, study, monkeypatch):
    assert page.ask(f"/api/studies/{study}/beside", method="POST").status == 409
    monkeypatch.setattr(page.site, "beside", page.site.model)
    other = page.ask(f"/api/studies/{study}/beside", method="POST").json
    first = page.ask(f"/api/studies/{study}").json["result"]
    assert other["subjects"][0]["label"] == first["subjects"][0]["label"]
    assert not page.site.folder.excluded(study)


def test_no_answer_of_the_page_names_the_patient(page, study):
    places = ("", "/download/json", "/download/page")
    answers = [page.ask(f"/api/studies/{study}{place}").body for place in places]
    answers += [page.ask(path).body for path in ("/api/studies", "/api/corrections.csv", "/")]
    answers.append(page.ask(f"/studies/{study}").body)
    assert not [one for one in answers if NAME.encode() in one or b"alert(1)" in one]
    kept = [path for path in page.site.folder.path.rglob("*") if NAME in path.name]
    assert kept == []
    queue = b"".join(path.read_bytes() for path in page.site.folder.path.glob("queue.sqlite*"))
    assert NAME.encode() not in queue
