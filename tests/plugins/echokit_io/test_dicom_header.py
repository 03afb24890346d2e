"""DICOM headers: rate, region, pixel size, view, patient, and what is refused."""

import hashlib
import logging

import numpy as np
import pytest
from files_loader import H, T, W, dataset, index, read, save
from pydicom.dataset import Dataset

from echokit import (
    Box,
    ClipError,
    ClipRef,
    OptionError,
    Rejection,
    SupportsFingerprint,
    pseudonym,
    resolve,
)

GREY = np.arange(T * H * W, dtype=np.uint32).reshape(T, H, W).astype(np.uint8)


def written(path, **tags):
    """A file of a grey ultrasound clip with the given tags."""
    return save(dataset(GREY, "MONOCHROME2", **tags), path)


def vector(*times):
    return {"FrameTimeVector": list(times)}


RATES = [
    ({"FrameTime": 20, "CineRate": 30, "RecommendedDisplayFrameRate": 10}, 50),
    (vector(0, 40, 50, 30) | {"CineRate": 30}, 25),
    ({"FrameTime": 0, "CineRate": 30, "RecommendedDisplayFrameRate": 10}, 30),
    ({"FrameTime": -5, "CineRate": 0, "RecommendedDisplayFrameRate": 10}, 10),
    (vector(0), None),
    (vector(0, -4), None),
    ({"CineRate": 0}, None),
    ({}, None),
]


@pytest.mark.parametrize(("tags", "fps"), RATES)
def test_frame_rate(tags, fps, tmp_path):
    assert read(written(tmp_path / "a.dcm", **tags)).fps == fps


POINTS = {"FrameIncrementPointer": 0x00181065}


@pytest.mark.parametrize(
    ("tags", "times"),
    [
        (vector(0, 20, 20, 80), [0, 0.02, 0.04, 0.12]),
        (vector(0, 20, 20, 80) | {"FrameTime": 40}, None),
        (vector(0, 20, 20, 80) | {"FrameTime": 40} | POINTS, [0, 0.02, 0.04, 0.12]),
        (vector(0, 40, 41, 39), None),
        (vector(0, 20, -20, 80), None),
        (vector(0, 20, 20), None),
        ({"FrameTime": 40}, None),
    ],
)
def test_times_of_frames_that_are_not_evenly_spaced(tags, times, tmp_path):
    for isolate in (False, True):
        clip = read(written(tmp_path / "a.dcm", **tags), isolate=isolate)
        assert (clip.times is None) == (times is None)
        if times is not None:
            assert clip.times == pytest.approx(times)
            assert clip.fps == pytest.approx(25), "the mean rate"


@pytest.mark.parametrize("tags", [{"FrameTime": 1e300}, {"FrameTime": 1e-9}, {"CineRate": 99999}])
def test_a_frame_rate_that_no_machine_has_is_refused(tags, tmp_path):
    with pytest.raises(ClipError, match="plausible are"):
        read(written(tmp_path / "a.dcm", **tags))


def test_a_pixel_size_that_no_machine_has_is_refused(tmp_path):
    with pytest.raises(ClipError, match="pixels are"):
        read(written(tmp_path / "a.dcm", PixelSpacing=[1e9, 0.3]))


def region(left, top, right, bottom, kind=1, form=1, dx=0.05, dy=0.05, units=3):
    item = Dataset()
    item.RegionDataType, item.RegionSpatialFormat, item.RegionFlags = kind, form, 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
    item.PhysicalDeltaX, item.PhysicalDeltaY = dx, dy
    return item


SOUND = region(3, 2, 42, 31, dx=0.06, dy=-0.05)
BOX = Box(2, 3, 30, 40)
REGIONS = {
    "tissue, not the first": ([region(0, 0, 50, 9, kind=0, form=0), SOUND], BOX, (0.5, 0.6)),
    "largest of two": ([region(44, 0, 53, 30), SOUND], BOX, (0.5, 0.6)),
    "to the last pixel": ([region(0, 0, 55, 39)], Box(0, 0, 40, 56), (0.5, 0.5)),
    "counted from one": ([region(1, 1, 56, 40)], Box(1, 1, 39, 55), (0.5, 0.5)),
    "exceeds the frame": ([region(10, 5, 100, 39)], None, None),
    "of negative place": ([region(2**32 - 4, 0, 50, 39)], None, None),
    "upside down": ([region(50, 30, 3, 2)], None, None),
    "not in centimetres": ([region(3, 2, 42, 31, units=0)], BOX, None),
    "without size": ([region(3, 2, 42, 31, dx=0.0)], BOX, None),
}


@pytest.mark.parametrize("name", REGIONS)
def test_region_and_spacing(name, tmp_path):
    regions, box, spacing = REGIONS[name]
    clip = read(written(tmp_path / "a.dcm", SequenceOfUltrasoundRegions=regions))
    assert clip.region == box
    assert clip.spacing == (pytest.approx(spacing) if spacing else None)


@pytest.mark.parametrize(
    ("regions", "named"),
    [
        ([region(3, 2, 42, 31, kind=2)], "colour Doppler"),
        ([region(0, 0, 50, 9, kind=3, form=3), SOUND], "spectral Doppler"),
    ],
)
def test_a_clip_of_another_mode_is_refused_by_its_name(regions, named, tmp_path):
    written(tmp_path / "a.dcm", SequenceOfUltrasoundRegions=regions)
    (rejection,) = resolve("loader", "files", source=str(tmp_path / "a.dcm")).index()
    assert isinstance(rejection, Rejection)
    assert named in rejection.reason


def test_pixel_spacing_serves_where_there_is_no_region(tmp_path):
    assert read(written(tmp_path / "a.dcm", PixelSpacing=[0.4, 0.3])).spacing == (0.4, 0.3)


REFUSED = [
    ({"NumberOfFrames": 1}, "one frame"),
    ({"Modality": "MR"}, "modality is 'MR'"),
    ({"Modality": "SR"}, "modality is 'SR'"),
    ({"Rows": 0}, "no image"),
    ({"PhotometricInterpretation": "HSV"}, "photometric interpretation with 1"),
    ({"BitsAllocated": 32, "BitsStored": 32}, "32 bits"),
    ({"NumberOfFrames": 9}, "truncated: 4 of its 9 frames"),
    ({"Rows": 60000, "Columns": 60000, "NumberOfFrames": 90000}, "limits.pixels"),
]


@pytest.mark.parametrize(("tags", "reason"), REFUSED)
def test_what_cannot_be_a_clip_is_refused_with_the_reason(tags, reason, tmp_path):
    item = index(written(tmp_path / "a.dcm", **tags))
    assert isinstance(item, Rejection)
    assert reason in item.reason


def coded(value, meaning):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return [item]


VIEWS = [
    ({"ViewName": "a4c"}, "A4C"),
    ({"ViewName": "PSAX_P", "SeriesDescription": "PLAX"}, "PSAX-P"),
    ({"ViewName": "kl", "SeriesDescription": "PLAX"}, "PLAX"),
    ({"ViewCodeSequence": coded("399214001", "whatever")}, "A4C"),
    ({"ViewCodeSequence": coded("G-0", "Parasternal long axis")}, "PLAX"),
    ({"SeriesDescription": "KAPAP"}, "KAPAP"),
    ({"SeriesDescription": "ECHO COMPLETE"}, None),
    ({"ViewCodeSequence": coded("G-039B", "")}, "PSAX-P"),
    ({"ViewCodeSequence": coded("130681", "")}, "A4C"),
    ({"ViewCodeSequence": coded("399232001", "of Quentin")}, "apical two chamber"),
    ({"ViewCodeSequence": coded("1", "Apical Two Chamber")}, "apical two chamber"),
    ({"StageName": "PSAX_S"}, "PSAX-S"),
    ({"StageName": "Rest", "SeriesDescription": "A4C LV focus"}, "A4C"),
    ({"SeriesDescription": "Subcostal 4 chamber"}, None),
    ({"SeriesDescription": "PLAX RV inflow"}, None),
    ({"SeriesDescription": "A2C and A4C"}, None),
    ({"ViewName": "of Quentin"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("tags", "view"), VIEWS)
def test_view(tags, view, tmp_path):
    assert index(written(tmp_path / "a.dcm", **tags)).view == view


def test_a_code_of_another_view_counts_more_than_the_name_of_the_file(tmp_path):
    tags = {"ViewCodeSequence": coded("399232001", "")}
    assert index(written(tmp_path / "30_A4C.dcm", **tags)).view == "apical two chamber"


RULES = {r"lang.?achs": "PLAX", r"^4k": "a4c", r"raw/": "PSAX-P"}


@pytest.mark.parametrize(
    ("tags", "name", "view"),
    [
        ({"SeriesDescription": "Parasternal Langachse"}, "x.dcm", "PLAX"),
        ({"StageName": "4K rest"}, "x.dcm", "A4C"),
        ({"ViewName": "A4C", "SeriesDescription": "Langachse"}, "x.dcm", "PLAX"),
        ({}, "raw/x.dcm", "PSAX-P"),
        ({"ViewName": "PLAX"}, "x.dcm", "PLAX"),
    ],
)
def test_rules_of_the_user_say_the_view_before_all_else(tags, name, view, tmp_path):
    (tmp_path / "raw").mkdir()
    written(tmp_path / name, **tags)
    (ref,) = resolve("loader", "files", source=str(tmp_path), view_rules=RULES).index()
    assert ref.view == view


def test_a_rule_that_is_no_pattern_is_refused(tmp_path):
    written(tmp_path / "a.dcm")
    with pytest.raises(OptionError, match=r"view_rules has '\('"):
        resolve("loader", "files", source=str(tmp_path), view_rules={"(": "PLAX"})


def test_examinations_of_one_patient_are_told_apart_by_date_else_by_identifier(tmp_path):
    for number, tags in enumerate(
        (
            {"StudyDate": "20240101", "StudyInstanceUID": "1.2.1"},
            {"StudyDate": "20240101", "StudyInstanceUID": "1.2.2"},
            {"StudyDate": "20240301", "StudyInstanceUID": "1.2.3"},
            {"StudyInstanceUID": "1.2.3"},
            {},
        )
    ):
        written(tmp_path / f"{number}.dcm", **tags)
    studies = [ref.study for ref in resolve("loader", "files", source=str(tmp_path)).index()]
    assert studies[0] == studies[1]
    assert len(set(studies)) == 4
    assert studies[4] == ""
    assert all(study.startswith("S-") and len(study) == 10 for study in studies[:4])
    other = written(tmp_path / "other.dcm", StudyDate="20240101", PatientID="1")
    assert index(other).study != studies[0], "a date alone would tell who was there on that day"


@pytest.mark.parametrize("tags", [{"SyntheticData": "YES"}, {"Manufacturer": "Synthetic Co"}, {}])
def test_synthetic(tags, tmp_path):
    item = index(written(tmp_path / "a.dcm", **tags))
    assert item.synthetic is bool(tags)


def test_patient_is_a_pseudonym_unless_asked_otherwise(tmp_path):
    path = written(tmp_path / "a.dcm")
    hashed = index(path).patient
    (plain,) = resolve("loader", "files", source=str(path), patients="as-is").index()
    assert (hashed, plain.patient) == (pseudonym("MRN-4711"), "MRN-4711")


def test_name_of_a_patient_appears_nowhere(tmp_path, caplog, recwarn, capfd):
    caplog.set_level(logging.DEBUG)
    folder = tmp_path / "Muster_Quentin"
    folder.mkdir()
    written(folder / "quentin-A4C.dcm")
    tags = {
        "PatientID": "MUSTER QUENTIN",
        "SeriesDescription": "QUENTIN",
        "FrameTime": 12345678.123,
    }
    odd = written(tmp_path / "odd.dcm", **tags)
    data = odd.read_bytes()
    assert b"12345678.123" in data
    odd.write_bytes(data.replace(b"12345678.123", b"Muster^Quen "))  # pydicom would quote it
    short = written(tmp_path / "short.dcm")
    for cut in (200, 400, 700, 1000, 2000):
        (tmp_path / f"cut{cut}.dcm").write_bytes(short.read_bytes()[:cut])
    loader = resolve("loader", "files", source=str(tmp_path))
    shown = []
    for item in loader.index():
        if isinstance(item, ClipRef):
            shown.append(f"{item.clip} {item.patient} {item.view} {item.labels}")
            shown.append(str(loader.read(item)))
        else:
            shown.append(f"{item.reason} {item.patient} {item.view}")
    streams = capfd.readouterr()
    everything = " ".join([*shown, caplog.text, *(str(w.message) for w in recwarn), *streams])
    assert len(shown) >= 9
    assert "quentin" not in everything.lower()
    assert "muster" not in everything.lower()


def test_fingerprint_follows_the_bytes(tmp_path):
    path = written(tmp_path / "a.dcm")
    loader = resolve("loader", "files", source=str(path))
    assert isinstance(loader, SupportsFingerprint)
    (ref,) = loader.index()
    assert loader.fingerprint(ref) == hashlib.sha256(path.read_bytes()).hexdigest()
