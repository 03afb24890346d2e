"""The header of a cleaned clip."""

from __future__ import annotations

from datetime import datetime

import pytest
from deidentified import screen, study
from files_loader import dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

from echokit_dicom.deidentify import kept, profile
from echokit_dicom.deidentify.header import clean_header
from echokit_dicom.deidentify.identity import FURTHEST, Person


def header(patient: str = "4711", view: str | None = None, **tags: object) -> Dataset:
    source = study(dataset(screen(), "MONOCHROME2", **tags))
    made, _ = clean_header(source, Person.of(patient), view=view, synthetic=False, own="a.dcm")
    return made


def test_nothing_is_copied_that_the_profile_removes():
    """PS3.15 Table E.1-1, attribute by attribute."""
    numbers = (*kept.NUMBERS, *kept.REGION_NUMBERS, *kept.WORDS)
    said = {keyword: profile.action(tag_for_keyword(keyword)) for keyword in numbers}
    assert set(said.values()) == {profile.UNLISTED}
    for keyword in kept.UIDS:
        assert profile.action(tag_for_keyword(keyword)) == "U"
    for keyword in (*kept.DATES, *kept.TIMES, *kept.MOMENTS):
        assert profile.action(tag_for_keyword(keyword)) == "C"
    for keyword in kept.EMPTY:
        said_of = profile.action(tag_for_keyword(keyword))
        assert "X" not in said_of.split("/") or "Z" in said_of.split("/") or keyword in kept.DATES


def test_what_stays_is_a_number_a_date_or_one_of_a_few_words():
    for keyword in (*kept.NUMBERS, *kept.REGION_NUMBERS):
        assert dictionary_VR(keyword) in ("DS", "IS", "US", "UL", "SL", "FD")


def test_every_date_is_moved_by_the_same_number_of_days_and_times_stay():
    made = header()
    moved = datetime.strptime(made.StudyDate, "%Y%m%d")
    days = (datetime(2024, 2, 29) - moved).days
    assert 1 <= days <= FURTHEST
    acquired = datetime.strptime(made.AcquisitionDateTime[:8], "%Y%m%d")
    assert (datetime(2024, 3, 1) - acquired).days == days
    assert made.AcquisitionDateTime[8:] == "101501.25"
    assert (made.SeriesDate, made.StudyTime) == (made.StudyDate, "101500")


def test_patients_are_moved_by_different_numbers_of_days():
    assert len({header(str(patient)).StudyDate for patient in range(12)}) > 9


@pytest.mark.parametrize("date", ["Muster", "20240231", "", "00010101", "2024", "20240101MUST"])
def test_a_date_that_is_none_is_empty(date):
    source = Dataset()
    source.add_new("StudyDate", "LO", date)
    source.add_new("StudyTime", "LO", "Muster")
    made, _ = clean_header(source, Person("P-1", 400), view=None, synthetic=False, own="a")
    assert (made.StudyDate, made.StudyTime) == ("", "")


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("CineRate", "Muster"), ("SeriesNumber", "19341207"), ("InstanceNumber", "4711081")],
)
def test_a_number_that_is_none_or_may_be_a_patients_is_not_copied(keyword, value):
    source = Dataset()
    source.add_new(keyword, "LO", value)
    made, _ = clean_header(source, Person("P-1", 4), view=None, synthetic=False, own="a")
    assert not made.get(keyword)


def test_geometry_and_time_are_copied():
    made = header(CineRate=30, InstanceNumber=7)
    region = made.SequenceOfUltrasoundRegions[0]
    assert (region.PhysicalDeltaX, region.RegionLocationMaxX1) == (0.03, 159)
    assert (float(made.FrameTime), made.CineRate, made.InstanceNumber) == (33.3, 30, 7)


@pytest.mark.parametrize(
    ("written", "name"),
    [("GE Vingmed Ultrasound", "GE"), ("Philips Medical Systems", "Philips"), ("Muster & Co", "")],
)
def test_a_known_manufacturer_is_named_in_echokits_words(written, name):
    assert header(Manufacturer=written).Manufacturer == name


def test_what_is_removed_is_told_with_what_the_profile_says():
    source = study(dataset(screen(), "MONOCHROME2", PatientComments="a", InstitutionName="b"))
    source.StudyDescription, source.TransducerData = "c", "d"
    block = source.private_block(0x11, "e", create=True)
    block.add_new(1, "LO", "f")
    _, changes = clean_header(source, Person.of("1"), view=None, synthetic=False, own="a")
    told = dict(changes.removed)
    assert told["PatientComments"] == told["StudyDescription"] == "X"
    assert (told["InstitutionName"], told["TransducerData"]) == ("X/Z/D", "not listed")
    assert (changes.private, changes.moved[0]) == (2, "StudyDate")
    assert changes.replaced == ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@pytest.mark.parametrize("view", ["Muster", None])
def test_a_view_that_is_not_canonical_is_not_written(view):
    assert "ViewName" not in header(view=view)
