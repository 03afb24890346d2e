"""MIMIC-IV-ECHO: paths that say whose they are, and measurements of the same day."""

from __future__ import annotations

import gzip

import pytest
from dicom_study import encoded, ultrasound
from published import mimic_iv_echo, put

from echokit import ClipRef, DataError, Rejection
from echokit.testing import check_loader
from echokit_datasets import mimic_iv_echo as load

CLIPS = [("10000030", "90000001", 2), ("10000130", "90000002", 1)]
HEAD = (
    "subject_id,measurement_id,measurement_datetime,test_type,measurement,"
    "measurement_description,result,unit\n"
)


@pytest.fixture(scope="module")
def dicom():
    return encoded(ultrasound(1, patient="x", study=1))


def index(source, **options):
    items = list(load(str(source), **options).index())
    clips = {item.clip: item for item in items if isinstance(item, ClipRef)}
    return clips, {item.where: item.reason for item in items if isinstance(item, Rejection)}


def measured(root, *rows, packed=True):
    text = HEAD + "".join(f"{row}\n" for row in rows)
    if packed:
        put(root / "structured-measurement.csv.gz", gzip.compress(text.encode()))
    else:
        put(root / "structured-measurement.csv", text.encode())


@pytest.mark.parametrize("packed", [True, False])
def test_measurements_of_the_day_are_labels(tmp_path, packed):
    root = mimic_iv_echo(tmp_path, CLIPS)
    measured(
        root,
        "10000030,m1,2180-01-02 11:00:00,TTE,phtn_severity,,moderate,",
        "10000030,m1,2180-01-02 11:00:00,TTE,tr_velocity,,3.4,m/s",
        "10000030,m0,2179-01-02 11:00:00,TTE,tapse,,1.1,cm",
        "10000130,m2,2180-01-02 11:00:00,TTE,tapse,,2.1,cm",
        "10000130,m3,2180-01-02 12:00:00,TTE,tapse,,1.2,cm",
        packed=packed,
    )
    clips, refused = index(root)
    assert refused == {}
    first = clips["90000001_0002"]
    assert (first.patient, first.study, first.view) == ("10000030", "90000001", None)
    assert {k: first.labels[k] for k in ("phtn_severity", "tr_velocity", "tapse")} == {
        "phtn_severity": "moderate",
        "tr_velocity": "3.4",
        "tapse": "",
    }
    assert clips["90000002_0001"].labels["tapse"] == ""  # two measurements on that day
    assert "tr_velocity" not in index(root, measurements=["tapse"])[0]["90000001_0001"].labels


def test_without_measurements_it_is_said(tmp_path):
    loader = load(str(mimic_iv_echo(tmp_path, CLIPS)))
    assert "no clip has a measurement" in loader.remarks()[0]


@pytest.mark.parametrize(
    ("old", "new", "where", "reason"),
    [
        ("10000130,90000002", "10000030,90000002", "90000002_0001", "another subject or study"),
        ("files/p10/p10000130/s", "../p10/p10000130/s", "line 4", "is not files/pNN"),
        ("90000002_0001.dcm", "90000002_0009.dcm", "90000002_0009", "not in the folder"),
    ],
)
def test_a_path_that_disagrees_with_its_row_is_refused(tmp_path, old, new, where, reason):
    root = mimic_iv_echo(tmp_path, CLIPS)
    path = root / "echo-record-list.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    clips, refused = index(root)
    assert set(clips) == {"90000001_0001", "90000001_0002"}
    assert any(name.startswith(where) and reason in said for name, said in refused.items())


def test_damaged_measurements_and_other_layouts_are_errors(tmp_path):
    root = mimic_iv_echo(tmp_path, CLIPS)
    put(root / "structured-measurement.csv.gz", gzip.compress(HEAD.encode() * 50)[:60])
    with pytest.raises(DataError, match=r"damaged|no CSV"):
        index(root)
    (root / "echo-record-list.csv").unlink()
    with pytest.raises(DataError, match=r"no echo-record-list.csv, which says whose a file is"):
        load(str(root))


def test_the_contract(tmp_path, dicom):
    check_loader(load, str(mimic_iv_echo(tmp_path, CLIPS, dicom)))
