"""EchoNet-LVH: several rows for a video, whose file is in one of four folders."""

from __future__ import annotations

import pytest
from published import echonet_lvh, put

from echokit import ClipRef, DataError, Rejection
from echokit.testing import check_loader
from echokit_datasets import echonet_lvh as load

VIDEOS = {"0X30": "train", "0X130": "test", "0X3": "val"}


def index(source):
    items = list(load(str(source)).index())
    clips = {item.clip: item for item in items if isinstance(item, ClipRef)}
    return clips, {item.where: item.reason for item in items if isinstance(item, Rejection)}


def change(root, old, new):
    path = root / "MeasurementsList.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_rows_of_a_video_are_one_clip(tmp_path):
    clips, refused = index(echonet_lvh(tmp_path, VIDEOS))
    assert refused == {}
    assert {name: ref.labels["side"] for name, ref in clips.items()} == {
        "0X30": "train",
        "0X130": "test",
        "0X3": "train",
    }
    labels = clips["0X130"].labels
    assert (labels["IVSd"], labels["LVIDd"], labels["split"]) == ("1.1", "4.5", "test")
    assert {ref.view for ref in clips.values()} == {"PLAX"}


def test_two_values_of_one_measurement_stay_two(tmp_path):
    root = echonet_lvh(tmp_path, VIDEOS)
    change(root, "0X30,LVIDd", "0X30,IVSd")
    assert index(root)[0]["0X30"].labels["IVSd"] == "1.1; 4.5"


def test_what_cannot_be_one_clip_is_refused_by_name(tmp_path):
    root = echonet_lvh(tmp_path, VIDEOS)
    put(root / "Batch4" / "0X30.avi")
    change(root, "48,32,test", "48,32,train")
    (root / "Batch3" / "0X3.avi").unlink()
    clips, refused = index(root)
    assert clips == {}
    assert "in 2 of the folders" in refused["0X30"]
    assert "same in all of its rows" in refused["0X130"]
    assert "in 0 of the folders" in refused["0X3"]


def test_other_layouts_are_refused(tmp_path):
    root = echonet_lvh(tmp_path, {})
    with pytest.raises(DataError, match=r"no folder Batch1.*Found: MeasurementsList.csv"):
        load(str(root))


def test_the_contract(tmp_path):
    check_loader(load, str(echonet_lvh(tmp_path, VIDEOS)))
