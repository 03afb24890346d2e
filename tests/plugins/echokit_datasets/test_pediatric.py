"""EchoNet-Pediatric: two views, folds, patients who stay in one fold."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import PEDIATRIC, echonet_pediatric, table

from echokit import ClipRef, DataError, OptionError, Rejection
from echokit.clips.splits import split_by_column
from echokit.testing import check_loader
from echokit_datasets import echonet_pediatric as load

VIDEOS = {
    ("A4C", "CR30-S1-000001"): "0",
    ("PSAX", "CR30-S1-000002"): "0",
    ("A4C", "CR130-S7-000001"): "9",
    ("A4C", "CR130-S8-000001"): "9",
}


def index(source, **options):
    items = list(load(str(source), **options).index())
    clips = {item.clip: item for item in items if isinstance(item, ClipRef)}
    return clips, {item.where: item.reason for item in items if isinstance(item, Rejection)}


def test_both_views_of_a_patient_are_one_patients(tmp_path):
    clips, refused = index(echonet_pediatric(tmp_path, VIDEOS))
    assert refused == {}
    assert {name: (ref.patient, ref.view, ref.study) for name, ref in clips.items()} == {
        "A4C/CR30-S1-000001": ("CR30", "A4C", "CR30-S1"),
        "PSAX/CR30-S1-000002": ("CR30", "PSAX-P", "CR30-S1"),
        "A4C/CR130-S7-000001": ("CR130", "A4C", "CR130-S7"),
        "A4C/CR130-S8-000001": ("CR130", "A4C", "CR130-S8"),
    }
    assert dict(clips["PSAX/CR30-S1-000002"].labels) == {
        **dict(zip(PEDIATRIC[1:], ["61", "F", "3", "14", "95", "0"], strict=True)),
        "side": "train",
    }


def test_the_published_folds_can_be_used(tmp_path):
    clips, _ = index(echonet_pediatric(tmp_path, VIDEOS))
    patients = {ref.patient: "any" for ref in clips.values()}
    splits = split_by_column(clips.values(), patients, "Split")
    assert [set(split.test) for split in splits] == [{"CR30"}, {"CR130"}]
    (side,) = split_by_column(clips.values(), patients, "side")
    assert side.test == {"CR130"}


def test_one_view_is_read_alone(tmp_path):
    root = echonet_pediatric(tmp_path, VIDEOS)
    clips, refused = index(root, view="PSAX")
    assert list(clips) == ["PSAX/CR30-S1-000002"]
    assert refused == {}
    with pytest.raises(OptionError, match="write 'A4C' or 'PSAX'"):
        load(str(root), view="PLAX")


def test_a_patient_in_two_folds_is_refused_by_name(tmp_path):
    videos = VIDEOS | {("PSAX", "CR30-S1-000002"): "5"}
    root = echonet_pediatric(tmp_path, videos)
    clips, refused = index(root)
    assert {ref.patient for ref in clips.values()} == {"CR130"}
    assert "folds 0 and 5" in refused["A4C/CR30-S1-000001"]
    assert "folds 0 and 5" in refused["PSAX/CR30-S1-000002"]
    assert set(index(root, view="PSAX")[0]) == {"PSAX/CR30-S1-000002"}


@pytest.mark.parametrize(
    ("name", "fold", "reason"),
    [
        ("CR30", "0", "not <patient>-<study>-<number>"),
        ("CR30-S1", "0", "not <patient>-<study>-<number>"),
        ("CR30--1", "0", "not <patient>-<study>-<number>"),
        ("CR30-S1-1", "10", "no fold from 0 to 9"),
        ("CR30-S1-1", "", "no fold from 0 to 9"),
    ],
)
def test_names_and_folds_of_another_form_are_refused(tmp_path, name, fold, reason):
    clips, refused = index(echonet_pediatric(tmp_path, {("A4C", name): fold}))
    assert clips == {}
    assert reason in refused[f"A4C/{name}"]


def test_a_wrong_layout_and_a_missing_column(tmp_path):
    root = echonet_pediatric(tmp_path, VIDEOS)
    table(root / "PSAX" / "FileList.csv", ["FileName", "EF"], [])
    with pytest.raises(DataError, match="no column Split"):
        index(root)
    (root / "PSAX" / "FileList.csv").unlink()
    with pytest.raises(DataError, match=r"no PSAX/FileList.csv.*Found: A4C, PSAX"):
        load(str(root))
    assert index(root, view="A4C")[0]


def test_the_contract(tmp_path):
    check_loader(load, str(echonet_pediatric(tmp_path, VIDEOS)))


names = st.builds(
    "{}-{}-{}".format, st.sampled_from(["P3", "P30", "P130"]), *[st.integers(0, 9)] * 2
)
videos = st.dictionaries(
    st.tuples(st.sampled_from(["A4C", "PSAX"]), names), st.integers(0, 9).map(str), max_size=6
)


@settings(max_examples=15, deadline=None)
@given(videos)
def test_no_patient_is_ever_on_two_sides(listed):
    with tempfile.TemporaryDirectory() as folder:
        clips, refused = index(echonet_pediatric(Path(folder), listed))
    assert set(clips) | set(refused) == {f"{view}/{name}" for view, name in listed}
    folds: dict[str, set[str]] = {}
    for (_, name), fold in listed.items():
        folds.setdefault(name.split("-")[0], set()).add(fold)
    assert {ref.patient for ref in clips.values()} == {
        p for p, own in folds.items() if len(own) == 1
    }
