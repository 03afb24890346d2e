"""The structured report: every value is found again, by readers that are not ours."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import highdicom as hd
import pytest
from dciodvfy import errors
from dicom_study import MRN, NAME, ROOT, WEIGHTS, study_uid, ultrasound, write
from pydicom import dcmread
from pydicom.examples import get_path

from echokit import resolve
from echokit_dicom.objects.report import make_report
from echokit_dicom.objects.source import read_sources


def report(result: Any) -> Any:
    subject = result.subjects[0]
    return make_report(result, subject, read_sources(result, subject))


def saved(result: Any, tmp_path: Any) -> Any:
    out = tmp_path / "report.dcm"
    report(result).save_as(out, enforce_file_format=True)
    return out


def groups(path: Any) -> list[Any]:
    """Measurement groups, of the patient and of each clip, as highdicom reads them."""
    found = hd.sr.srread(path).content.get_image_measurement_groups()
    return sorted(found, key=lambda group: group.tracking_identifier)


def percent(group: Any) -> dict[str, float]:
    return {one.name.meaning: one.value for one in group.get_measurements()}


def said(group: Any) -> list[tuple[str, str, str]]:
    return [
        (one.name.meaning, one.value.meaning, one.value.scheme_designator)
        for one in group.get_qualitative_evaluations()
        if one.name.meaning != "Algorithm Family"
    ]


def test_highdicom_finds_every_value_again(result_of, tmp_path):
    path = saved(result_of(), tmp_path)
    a4c, plax, patient = groups(path)
    assert patient.finding_type.value == "70995007"
    assert percent(patient) == {
        "Probability, not calibrated": 75.0,
        "Probability of none": 10.0,
        "Probability of mild": 15.0,
        "Probability of moderate-severe": 75.0,
        "Agreement between voters": 75.0,
    }
    assert said(patient) == [
        ("Severity", "Moderate to Severe", "SCT"),
        ("View used", "Apical four chamber", "SCT"),
        ("View used", "Parasternal long axis", "SCT"),
        ("View missing", "Parasternal short axis at the Papillary Muscle level", "SCT"),
        ("Intended use", "Research use only, not for diagnosis", "99ECHOKIT"),
        (
            "Training data",
            "Synthetic clips: software test only, no clinical validity",
            "99ECHOKIT",
        ),
    ]
    for group, number, view in (
        (a4c, 1, "Apical four chamber"),
        (plax, 2, "Parasternal long axis"),
    ):
        assert ("Image View", view, "SCT") in said(group)
        (image,) = group.source_images
        assert image.referenced_sop_instance_uid == f"{ROOT}.2.{number}"
        assert image.referenced_frame_numbers == [4, 5, 6, 7]
    data = path.read_bytes()
    assert b"weights of A4C: sha256 " + WEIGHTS["A4C"].encode() in data
    assert b"run tiny-run" in data


def test_calibrated_probabilities_and_label_sets_are_said(result_of, tmp_path):
    result = result_of()
    (subject,) = result.subjects
    shares = {"none": 0.2, "mild": 0.3, "moderate-severe": 0.5}
    known = replace(subject, calibrated_probabilities=shares, label_set=("mild", "moderate-severe"))
    *_, patient = groups(saved(replace(result, subjects=(known,)), tmp_path))
    assert percent(patient)["Probability"] == 50.0
    assert ("Label that cannot be left out", "Mild", "SCT") in said(patient)


def test_a_patient_who_is_not_judged_gets_no_severity(result_of, tmp_path):
    result = result_of()
    silent = replace(result.subject, label="not judged", not_judged="only 2 of 3 views")
    *_, patient = groups(saved(replace(result, subjects=(silent,)), tmp_path))
    assert said(patient)[0] == ("Severity", "Not judged", "99ECHOKIT")


@pytest.mark.parametrize(("label", "answer"), [("PH", "Present"), ("none", "Absent")])
def test_a_task_of_two_labels_says_whether_there_is_hypertension(
    result_of, tmp_path, label, answer
):
    result = result_of()
    (subject,) = result.subjects
    shares = {"none": 0.25, "PH": 0.75}
    clips = tuple(replace(one, label=label, probabilities=shares) for one in subject.clips)
    told = replace(subject, label=label, vote=label, probabilities=shares, clips=clips)
    path = saved(replace(result, classes=("none", "PH"), task="binary", subjects=(told,)), tmp_path)
    for group in groups(path):
        assert said(group)[0] == ("Pulmonary hypertension", answer, "SCT")


def test_another_recipe_says_nothing_of_pulmonary_hypertension(result_of, tmp_path):
    *_, patient = groups(saved(replace(result_of(), recipe="valves"), tmp_path))
    assert (patient.finding_type.meaning, patient.finding_type.scheme_designator) == (
        "valves",
        "99ECHOKIT",
    )


def test_it_is_of_the_same_patient_and_study_unverified_and_preliminary(result_of, tmp_path):
    made = dcmread(saved(result_of(patient=MRN), tmp_path))
    assert (str(made.PatientName), made.PatientID) == (NAME, MRN)
    assert made.SpecificCharacterSet == "ISO_IR 192"
    assert made.StudyInstanceUID == study_uid(2)
    assert made.SeriesInstanceUID != f"{ROOT}.2.9.1"
    assert made.AccessionNumber == "A-2"
    assert (made.VerificationFlag, made.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")


@pytest.mark.parametrize("source", ["made", "real"])
def test_dciodvfy_finds_no_error(result_of, tmp_path, source):
    path = None if source == "made" else get_path("ybr_color")
    assert errors(saved(result_of(path=path), tmp_path)) == []


def test_a_source_that_hardly_says_whose_it_is_is_enough(result_of, tmp_path):
    bare = ultrasound(1)
    for keyword in ("PatientName", "PatientBirthDate", "StudyID", "ReferringPhysicianName"):
        delattr(bare, keyword)
    path = saved(result_of(path=write(bare, tmp_path / "bare")), tmp_path)
    assert errors(path) == []
    assert str(dcmread(path).PatientName) == ""


def test_the_checker_sees_an_error(result_of, tmp_path):
    made = report(result_of())
    del made.VerificationFlag
    made.save_as(tmp_path / "bad", enforce_file_format=True)
    assert errors(tmp_path / "bad") != []


def test_the_same_prediction_is_the_same_object_and_another_is_another(result_of):
    result = result_of()
    (subject,) = result.subjects
    other = replace(result, subjects=(replace(subject, label="mild"),))
    retrained = replace(result, weights={"A4C": "00" * 32})
    uids = [report(one).SOPInstanceUID for one in (result, result_of(), other, retrained)]
    assert uids[0] == uids[1]
    assert len(set(uids)) == 3


def test_frames_are_left_out_where_the_clip_was_resampled_in_time(result_of, tmp_path):
    result = result_of(frames=28)  # tiny clips were prepared to 14 frames
    a4c, *_ = groups(saved(result, tmp_path))
    assert a4c.source_images[0].referenced_frame_numbers is None


def test_no_warning_quotes_the_patient(result_of):
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        report(result_of(name="Onlyonename"))
    assert "Onlyonename" not in "".join(str(one.message) for one in shown)


def test_the_file_is_named_by_the_pseudonym(result_of, tmp_path):
    result = result_of(("P1", "P20"))
    written = resolve("writer", "dicom-sr")(result, tmp_path / "out")
    assert [path.name for path in written] == ["report-P1.dcm", "report-P20.dcm"]
    assert {dcmread(path).PatientID for path in written} == {"P1", "P20"}


def test_two_examinations_of_one_patient_are_two_files(result_of, tmp_path):
    result = result_of(("P1", "P20"))
    first, second = (replace(one, study=f"S-{one.patient}") for one in result.subjects)
    both = replace(result, subjects=(first, replace(second, patient="P1")))
    written = resolve("writer", "dicom-sr")(both, tmp_path / "out")
    assert [path.name for path in written] == ["report-P1-S-P1.dcm", "report-P1-S-P20.dcm"]
