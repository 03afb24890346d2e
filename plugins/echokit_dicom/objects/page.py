"""The page of a study as Encapsulated PDF (PS3.3 A.45.1), printed by Chromium without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from echokit import StudyResult, SubjectResult, UsageError
from echokit_dicom.objects import codes
from echokit_dicom.objects.identifiers import fingerprint, make_uid
from echokit_dicom.objects.source import new_object, reference

SERIES_NUMBER = 903
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
"""Commands of the browsers that print, the first that is installed."""
LONGEST = 120
"""Seconds after which printing is given up."""
OFFLINE = (
    *("--headless", "--disable-gpu", "--no-pdf-header-footer", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-default-apps", "--disable-extensions", "--no-default-browser-check"),
    *("--metrics-recording-only", "--disable-domain-reliability", "--no-pings"),
    *("--disable-features=OptimizationHints,MediaRouter", "--dns-prefetch-disable"),
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
"""What keeps the browser from asking anything of a network: no name is resolved. It still looks for
a route to an address of IPv6, without sending anything, unless it has a network of its own."""


def find_browser() -> str:
    """Return the path of the browser that prints.

    Raises:
        UsageError: none is installed.
    """
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise UsageError(
        "dicom-pdf prints the page with Chromium, which is not installed: apt-get install chromium "
        "(or use --write dicom-sr and --write dicom-sc, which need none)."
    )


def make_page(
    result: StudyResult, subject: SubjectResult, sources: Mapping[str, Dataset]
) -> Dataset:
    """Print one patient's page, and wrap it.

    Args:
        result: the result that holds the patient; other patients are not on the page.
        subject: the patient.
        sources: clip -> header of its DICOM file, of one study.

    Returns:
        An Encapsulated PDF of the same patient and study in a series of its own.

    Raises:
        UsageError: there is no browser, or it prints nothing.
    """
    alone = len(result.subjects) == 1
    rejected = tuple(item for item in result.rejected if item.patient == subject.patient or alone)
    with tempfile.TemporaryDirectory(prefix="echokit-page-") as folder:
        replace(result, subjects=(subject,), rejected=rejected).save(Path(folder) / "page")
        pdf = print_page(Path(folder) / "page" / "index.html", Path(folder) / "page.pdf")
    said = fingerprint(result, subject, sources)
    header = next(iter(sources.values()))
    made = new_object(
        header,
        EncapsulatedPDFStorage,
        make_uid(said, "PDF"),
        make_uid(said, "PDF", "series"),
        "DOC",
    )
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator = codes.REPORT.value, "DCM"
    title.CodeMeaning = codes.REPORT.meaning
    values = {
        "SeriesNumber": SERIES_NUMBER,
        "SeriesDescription": "echokit: page, research use only",
        "InstanceNumber": 1,
        "AcquisitionDateTime": "",
        "BurnedInAnnotation": "NO",  # the page names its patient by a pseudonym
        "DocumentTitle": "echokit: prediction, research use only, not for diagnosis",
        "ConceptNameCodeSequence": [title],
        "MIMETypeOfEncapsulatedDocument": "application/pdf",
        "SourceInstanceSequence": [reference(one) for one in sources.values()],
        "SoftwareVersions": result.version,
        "EncapsulatedDocumentLength": len(pdf),
        "EncapsulatedDocument": pdf + b"\0" * (len(pdf) % 2),
    }
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def print_page(page: Path, out: Path) -> bytes:
    """Print a page to PDF, with a profile that is thrown away.

    Where Linux allows it the browser runs in a network namespace of its own, which holds nothing.

    Raises:
        UsageError: there is no browser, or it prints nothing.
    """
    browser = find_browser()
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has none for root
    command = [
        *_without_network(),
        browser,
        *OFFLINE,
        *root,
        f"--user-data-dir={out.parent / 'profile'}",
        f"--print-to-pdf={out}",
        page.resolve().as_uri(),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - a list, no shell
            command, capture_output=True, timeout=LONGEST, check=False
        )
        told = f"exit status {done.returncode}"
    except subprocess.TimeoutExpired:
        told = f"not done after {LONGEST} seconds"
    pdf = out.read_bytes() if out.is_file() else b""
    if not pdf.startswith(b"%PDF-"):
        raise UsageError(f"{browser} could not print the page of the study ({told}).")
    return pdf


def _without_network() -> list[str]:
    """Return what starts a program without a network; empty where that is not allowed."""
    tool = shutil.which("unshare")
    if tool is None:
        return []
    owner = [] if os.geteuid() == 0 else ["--map-current-user"]
    words = [tool, *owner, "--net"]
    done = subprocess.run([*words, "true"], capture_output=True, check=False)  # noqa: S603
    return words if done.returncode == 0 else []
