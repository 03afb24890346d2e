"""CardiacNet-PAH: two folders of classes, whose numbers overlap."""

from __future__ import annotations

import numpy as np
import pytest
from published import FRAMES, cardiacnet, nifti

from echokit import ClipRef, DataError, OptionError, Rejection
from echokit.testing import LoaderContract
from echokit.testing.contracts.suite import keep
from echokit_datasets import cardiacnet_pah as load

NUMBERS = {"PAH": ["1", "30"], "Non-PAH": ["1", "130"]}


def index(source, **options):
    items = list(load(str(source), **options).index())
    clips = {item.clip: item for item in items if isinstance(item, ClipRef)}
    return clips, {item.where: item.reason for item in items if isinstance(item, Rejection)}


def test_the_folder_is_the_class_and_the_number_the_patient(tmp_path):
    clips, refused = index(cardiacnet(tmp_path, NUMBERS))
    assert refused == {}
    assert {name: (ref.patient, ref.labels["class"]) for name, ref in clips.items()} == {
        "PAH/1": ("1", "PAH"),
        "PAH/30": ("30", "PAH"),
        "Non-PAH/1": ("1", "Non-PAH"),
        "Non-PAH/130": ("130", "Non-PAH"),
    }
    assert {ref.view for ref in clips.values()} == {"A4C"}


def test_a_number_in_both_classes_counts_as_the_option_says(tmp_path):
    root = cardiacnet(tmp_path, NUMBERS)
    clips, _ = index(root, shared="two-patients")
    assert len({ref.patient for ref in clips.values()}) == 4
    clips, refused = index(root, shared="refuse")
    assert set(clips) == {"PAH/30", "Non-PAH/130"}
    assert set(refused) == {"PAH/1", "Non-PAH/1"}
    with pytest.raises(OptionError, match="write one-patient, two-patients, refuse"):
        load(str(root), shared="both")


@pytest.mark.parametrize("shared", ["one-patient", "two-patients"])
def test_numbers_in_both_classes_are_said(tmp_path, shared):
    said = load(str(cardiacnet(tmp_path, NUMBERS)), shared=shared).remarks()
    assert "class PAH: 342 published, 2 here" in said[0]
    assert "both in PAH and in Non-PAH: 1." in said[1]


def test_a_clip_has_no_frame_rate_since_none_is_published(tmp_path):
    loader = load(str(cardiacnet(tmp_path, NUMBERS)))
    clip = loader.read(next(iter(loader.index())))
    assert np.array_equal(clip.frames, FRAMES)
    assert clip.fps is None


def test_an_image_that_is_a_folder_is_looked_into(tmp_path):
    root = cardiacnet(tmp_path, NUMBERS)
    nifti(root / "PAH" / "31_image.nii" / "31_image.nii")
    (root / "PAH" / "32_image.nii").mkdir()
    clips, refused = index(root)
    assert clips["PAH/31"].where == "PAH/31_image.nii/31_image.nii"
    assert refused == {
        "PAH/32_image.nii": "its folder holds 0 files *_image.nii, where one is expected"
    }
    loader = load(str(root))
    assert loader.read(clips["PAH/31"]).frames.shape == FRAMES.shape


def test_a_case_listed_in_two_forms_is_refused(tmp_path):
    root = cardiacnet(tmp_path, NUMBERS)
    nifti(root / "PAH" / "30_image.nii")
    clips, refused = index(root)
    assert "PAH/30" not in clips
    assert "more than once" in refused["PAH/30"]


def test_other_layouts_are_refused(tmp_path):
    nifti(tmp_path / "PAH" / "1_image.nii.gz")
    with pytest.raises(DataError, match=r"no Non-PAH/.*Found: PAH"):
        load(str(tmp_path))


def test_the_contract(tmp_path):
    class Contract(LoaderContract):
        beside = ("*_label.nii.gz",)

    keep(Contract.of(load, where=str(cardiacnet(tmp_path, NUMBERS))))
