"""Labels of an archive's studies come from a sheet."""

from __future__ import annotations

import pytest
from dicom_study import MRN, study_uid, ultrasound, write

from echokit import DataError
from echokit_dicom.archive.labels import NO_LABELS, read_labels


@pytest.mark.parametrize(
    ("column", "whose"), [("study", study_uid(1)), ("accession", "A-1"), ("patient", MRN)]
)
def test_a_row_is_found_by_study_accession_or_patient(tmp_path, column, whose):
    sheet = tmp_path / "labels.csv"
    sheet.write_text(f"{column},grade,site\n{whose},1.5,A\nother,0,B\n", "utf-8-sig")
    clip = write(ultrasound(1), tmp_path / "clip")
    assert dict(read_labels(sheet).of(clip, MRN)) == {"grade": "1.5", "site": "A"}
    elsewhere = write(ultrasound(1, study=2, patient="x", AccessionNumber="y"), tmp_path / "other")
    assert dict(read_labels(sheet).of(elsewhere, "x")) == {}


def test_without_a_sheet_there_are_none(tmp_path):
    assert dict(NO_LABELS.of(tmp_path / "nowhere", MRN)) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has the columns none"),
        ("grade,site\n1,2\n", "needs one of study, accession, patient"),
        ("study,patient,grade\n1,2,3\n", "needs one of"),
        ("patient\n1\n", "a column for each label"),
        ("patient,grade\n,1\n", "line 2: the column 'patient' is empty"),
        ("patient,grade\n7,1\n7,2\n", "line 3: its patient has two rows that differ"),
    ],
)
def test_a_sheet_that_says_not_whose_its_rows_are_is_refused(tmp_path, text, told):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=told):
        read_labels(tmp_path / "labels.csv")


def test_rows_that_repeat_are_one(tmp_path):
    (tmp_path / "labels.csv").write_text("patient,grade\n7,1\n7,1\n")
    assert dict(read_labels(tmp_path / "labels.csv").rows["7"]) == {"grade": "1"}


def test_a_sheet_that_is_no_text_or_not_there_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not in UTF-8"):
        read_labels(tmp_path / "labels.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(tmp_path / "nowhere.csv")
