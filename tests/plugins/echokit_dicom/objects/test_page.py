"""The page as a PDF: printed by a browser that is really there."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
from dciodvfy import errors
from dicom_study import NAME
from pydicom import dcmread
from traced import connections

from echokit import UsageError, resolve
from echokit_dicom.objects import page


@pytest.fixture
def browser():
    if shutil.which("chromium") is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed: apt-get install chromium")
        pytest.skip("printing takes Chromium")


def test_the_page_of_one_patient_is_wrapped_without_an_error(browser, result_of, tmp_path):
    result = result_of(("P1", "P20"))
    written = resolve("writer", "dicom-pdf")(result, tmp_path / "out")
    for path in written:
        made = dcmread(path)
        assert errors(path) == []
        assert made.MIMETypeOfEncapsulatedDocument == "application/pdf"
        pdf = bytes(made.EncapsulatedDocument)[: made.EncapsulatedDocumentLength]
        assert pdf.startswith(b"%PDF-")
        assert pdf.rstrip().endswith(b"%%EOF")
        assert NAME.partition("^")[0].encode() not in pdf
    assert [dcmread(path).PatientID for path in written] == ["P1", "P20"]


def test_printing_asks_nothing_of_a_network(browser, tmp_path):
    (tmp_path / "page.html").write_text("<img src='http://192.0.2.1/x.png'><p>A page</p>")
    code = (
        "import sys; from pathlib import Path; from echokit_dicom.objects import page;"
        "page._without_network = list;"  # not even where the machine would forbid it
        "page.print_page(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, tmp_path / "page.html", tmp_path / "page.pdf"]
    done, reached = connections(command, tmp_path / "trace")
    assert done.returncode == 0, done.stderr
    # a look for a route of IPv6, by which nothing is sent, and what the page itself names
    assert {address for address, _ in reached} <= {"2001:4860:4860::8888", "192.0.2.1"}


def test_without_a_browser_it_is_refused_before_anything_is_predicted(monkeypatch):
    monkeypatch.setattr(page, "BROWSERS", ("no-such-browser",))
    with pytest.raises(UsageError, match="Chromium, which is not installed: apt-get install"):
        resolve("writer", "dicom-pdf")


def test_a_browser_that_prints_nothing_is_named(monkeypatch, result_of, tmp_path):
    monkeypatch.setattr(page, "BROWSERS", ("true",))
    writer = resolve("writer", "dicom-pdf")
    with pytest.raises(UsageError, match="could not print the page of the study"):
        writer(result_of(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_one_patient_is_on_a_page(monkeypatch, result_of, tmp_path):
    pages = []

    def print_page(path, out):
        pages.append(path.read_text("utf-8"))
        return b"%PDF-1.4\n%%EOF"

    monkeypatch.setattr(page, "print_page", print_page)
    monkeypatch.setattr(page, "find_browser", lambda: "none")
    resolve("writer", "dicom-pdf")(result_of(("P1", "P20")), tmp_path / "out")
    assert ["P20" in text for text in pages] == [False, True]
