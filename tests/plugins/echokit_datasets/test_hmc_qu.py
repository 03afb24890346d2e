"""HMC-QU: videos in two folders, and tables saved as CSV."""

from __future__ import annotations

import pytest
from published import hmc_qu, put

from echokit import ClipRef, DataError, Rejection
from echokit.testing import check_loader
from echokit_datasets import hmc_qu as load

VIDEOS = {"A2C": ["ES0030_CH2_1"], "A4C": ["ES0030_CH4_1", "ES00130_CH4_1"]}


def index(source, **options):
    items = list(load(str(source), **options).index())
    clips = {item.clip: item for item in items if isinstance(item, ClipRef)}
    return clips, {item.where: item.reason for item in items if isinstance(item, Rejection)}


def test_a_patient_has_both_views(tmp_path):
    clips, refused = index(hmc_qu(tmp_path, VIDEOS))
    assert refused == {}
    assert {name: (ref.patient, ref.view, ref.labels["LABEL"]) for name, ref in clips.items()} == {
        "ES0030_CH2_1": ("ES0030", "A2C", "MI"),
        "ES0030_CH4_1": ("ES0030", "A4C", "MI"),
        "ES00130_CH4_1": ("ES00130", "A4C", "MI"),
    }


def test_rows_and_files_without_each_other_are_refused(tmp_path):
    root = hmc_qu(tmp_path, VIDEOS)
    (root / "A4C" / "ES0030_CH4_1.avi").unlink()
    put(root / "A4C" / "ES0099_CH4_1.avi")
    put(root / "A4C" / "Erika.avi")
    put(root / "A2C" / "ES0099_CH2_1.avi")  # after the only row was used
    clips, refused = index(root)
    assert set(clips) == {"ES0030_CH2_1", "ES00130_CH4_1"}
    assert refused["ES0030_CH4_1"] == "there is no video of it in A4C/"
    assert refused["ES0099_CH4_1"].startswith("0 rows of A4C.csv")
    assert refused["ES0099_CH2_1"].startswith("0 rows of A2C.csv")
    assert "not ES0001_CH2_1" in refused["a file of A4C"]


def test_without_tables_it_is_said(tmp_path):
    root = hmc_qu(tmp_path, VIDEOS, labels=False)
    assert all(not ref.labels for ref in index(root)[0].values())
    assert "no A2C.csv and no A4C.csv" in load(str(root)).remarks()[1]


def test_other_layouts_are_refused(tmp_path):
    root = hmc_qu(tmp_path / "set", VIDEOS)
    with pytest.raises(DataError, match=r"no column Name.*Found: ECHO, LABEL"):
        index(root, name="Name")
    (root / "A4C.csv").rename(root / "A4C.xlsx")
    with pytest.raises(DataError, match=r"save it as A4C.csv"):
        load(str(root))
    with pytest.raises(DataError, match="neither A2C/ nor A4C/"):
        load(str(tmp_path))


def test_the_contract(tmp_path):
    check_loader(load, str(hmc_qu(tmp_path, VIDEOS)))
