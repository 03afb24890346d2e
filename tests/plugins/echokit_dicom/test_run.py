"""A run on an archive's clips, with labels from a sheet: `run RECIPE --data dicomweb:...`."""

from __future__ import annotations

import pytest
from dicom_study import encoded, ultrasound

GRADES = ("0", "0", "0", "0", "1", "1", "1", "1", "3", "3", "3", "3")


@pytest.fixture
def sheet(archive, tmp_path):
    """Twelve patients of one day in the archive, and their grades in a sheet."""
    lines = ["patient,grade"]
    for number, grade in enumerate(GRADES):
        patient = f"run-{number:02d}"
        lines.append(f"{patient},{grade}")
        for place, view in enumerate(("PLAX", "A4C", "PSAX-P"), start=1):
            clip = ultrasound(
                place, patient=patient, study=200 + number, StudyDate="20240301",
                SeriesDescription=view,
            )  # fmt: skip
            archive.put(encoded(clip))
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "labels.csv"


@pytest.mark.parametrize("loader", ["dicomweb", "dimse"])
def test_a_run_knows_every_patients_label(archive, sheet, echokit, loader):
    address = archive.web if loader == "dicomweb" else archive.dimse
    done = echokit(
        "run", "ph-newborn", "--data", f"{loader}:{address}?StudyDate=20240301",
        "--set", f"data.labels={sheet}", "--set", "crossfit.folds=0", "--dry-run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Cohort: 36 clips of 12 patients (A4C 12, PLAX 12, PSAX-P 12)" in done.stdout
    assert "moderate-severe 4" in done.stdout
    assert "none 4" in done.stdout
    assert "run-0" not in done.stdout + done.stderr
