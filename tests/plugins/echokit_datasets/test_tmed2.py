"""TMED-2: stills, each a clip of one frame; patients over their studies."""

from __future__ import annotations

import numpy as np
import pytest
from published import FRAMES, put, tmed2

from echokit import ClipError, ClipRef, DataError, OptionError, Rejection
from echokit.testing import check_loader
from echokit_datasets import tmed2 as load

IMAGES = {
    "30s1_0": ("PLAX", "no_AS", "train"),
    "30s2_0": ("PSAX", "mild_AS", "val"),
    "130s1_7": ("A4C", "severe_AS", "test"),
}


def index(source, **options):
    items = list(load(str(source), **options).index())
    clips = {item.clip: item for item in items if isinstance(item, ClipRef)}
    return clips, {item.where: item.reason for item in items if isinstance(item, Rejection)}


def test_stills_are_grouped_by_patient_and_sided_by_the_fold(tmp_path):
    clips, refused = index(tmed2(tmp_path, IMAGES))
    assert refused == {}
    assert {n: (r.patient, r.study, r.view, r.labels["side"]) for n, r in clips.items()} == {
        "30s1_0": ("30", "30s1", "PLAX", "train"),
        "30s2_0": ("30", "30s2", "PSAX", "train"),
        "130s1_7": ("130", "130s1", "A4C", "test"),
    }
    assert clips["30s2_0"].labels["diagnosis_classifier_split"] == "val"


def test_a_still_is_one_frame_and_it_is_said(tmp_path):
    loader = load(str(tmed2(tmp_path, IMAGES)))
    assert np.array_equal(loader.read(next(iter(loader.index()))).frames, FRAMES[:1])
    assert "stills" in loader.remarks()[-1]


def test_a_patient_on_two_sides_is_refused(tmp_path):
    images = IMAGES | {"30s2_0": ("PSAX", "mild_AS", "test")}
    clips, refused = index(tmed2(tmp_path, images))
    assert set(clips) == {"130s1_7"}
    assert set(refused) == {"30s1_0", "30s2_0"}


def test_damaged_images_and_missing_ones_are_named(tmp_path):
    root = tmed2(tmp_path, IMAGES)
    folder = root / "view_and_diagnosis_labeled_set" / "labeled"
    put(folder / "30s1_0.png", b"\x89PNG\r\n\x1a\n and no more")
    (folder / "130s1_7.png").unlink()
    clips, refused = index(root)
    assert "in 0 of the folders" in refused["130s1_7"]
    with pytest.raises(ClipError, match="no PNG"):
        load(str(root)).read(clips["30s1_0"])


def test_other_layouts_are_refused(tmp_path):
    root = tmed2(tmp_path, IMAGES)
    with pytest.raises(OptionError, match="write 0, 1 or 2"):
        load(str(root), fold=3)
    (root / "DEV479" / "TMED2_fold1_labeledpart.csv").unlink()
    assert index(root)[0]
    with pytest.raises(DataError, match="no DEV479/TMED2_fold1"):
        load(str(root), fold=1)


def test_the_contract(tmp_path):
    check_loader(load, str(tmed2(tmp_path, IMAGES)))
