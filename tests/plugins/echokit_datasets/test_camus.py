"""CAMUS: sequences with masks and cfg files, and its published split."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import FRAMES, camus, nifti, put

from echokit import ClipError, ClipRef, DataError, Rejection
from echokit.clips.splits import split_by_column
from echokit.testing import LoaderContract
from echokit.testing.contracts.suite import keep
from echokit_datasets import camus as load

PATIENTS = {"patient0030": "training", "patient0130": "testing", "patient0003": "validation"}


def index(source):
    items = list(load(str(source)).index())
    clips = {item.clip: item for item in items if isinstance(item, ClipRef)}
    return clips, {item.where: item.reason for item in items if isinstance(item, Rejection)}


def test_sequences_have_views_labels_and_the_published_split(tmp_path):
    clips, refused = index(camus(tmp_path, PATIENTS))
    assert refused == {}
    assert {name: (ref.patient, ref.view) for name, ref in clips.items()} == {
        f"{patient}_{name}": (patient, view)
        for patient in PATIENTS
        for name, view in (("2CH", "A2C"), ("4CH", "A4C"))
    }
    labels = clips["patient0130_4CH"].labels
    assert labels["EF"] == "61"
    assert (labels["Split"], labels["side"]) == ("testing", "test")
    patients = {ref.patient: "any" for ref in clips.values()}
    (split,) = split_by_column(clips.values(), patients, "side")
    assert split.test == {"patient0130"}


def test_a_sequence_has_the_frame_rate_of_its_cfg_and_its_masks(tmp_path):
    loader = load(str(camus(tmp_path, PATIENTS)))
    ref = next(item for item in loader.index() if item.clip == "patient0030_4CH")
    clip = loader.read(ref)
    assert np.array_equal(clip.frames, FRAMES)
    assert clip.fps == 52.5  # the image itself says one frame a second
    assert np.array_equal(clip.structures, FRAMES % 4)
    assert clip.structure_names == ("left ventricle", "myocardium", "left atrium")
    before = loader.fingerprint(ref)
    nifti(loader.file(ref).with_name("patient0030_4CH_half_sequence_gt.nii.gz"), FRAMES % 3)
    assert loader.fingerprint(ref) != before


def test_masks_that_do_not_fit_are_a_reason_and_none_is_none(tmp_path):
    root = camus(tmp_path, {"patient0030": "training"}, masks=False)
    loader = load(str(root))
    ref = next(iter(loader.index()))
    assert loader.read(ref).structures is None
    nifti(loader.file(ref).with_name("patient0030_2CH_half_sequence_gt.nii.gz"), FRAMES[:2] % 4)
    with pytest.raises(ClipError, match="its masks are"):
        loader.read(ref)
    nifti(loader.file(ref).with_name("patient0030_2CH_half_sequence_gt.nii.gz"), FRAMES % 5)
    with pytest.raises(ClipError, match="labels up to 4"):
        loader.read(ref)


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("Info_4CH.cfg", None, "its cfg cannot be used"),
        ("Info_4CH.cfg", b"EF 61", "is not `key: value`"),
        ("Info_4CH.cfg", b"EF: 61\nEF: 16", "states something twice"),
        ("Info_4CH.cfg", b"FrameRate: 1e400", "no number of frames"),
        ("Info_4CH.cfg", b"EF: \0", "no short text"),
        ("Info_4CH.cfg", b"x" * 70_000, "no short text"),
        ("patient0030_4CH_half_sequence.nii.gz", None, "not in the folder"),
    ],
)
def test_what_lacks_or_is_damaged_refuses_one_view_by_name(tmp_path, file, text, reason):
    root = camus(tmp_path, PATIENTS)
    path = root / "database_nifti" / "patient0030" / file
    path.unlink()
    if text is not None:
        put(path, text)
    clips, refused = index(root)
    assert len(clips) == 5
    assert list(refused) == ["patient0030_4CH"]
    assert reason in refused["patient0030_4CH"]


def test_a_patient_of_no_subgroup_or_of_two_is_refused(tmp_path):
    root = camus(tmp_path, PATIENTS)
    lists = root / "database_split"
    (lists / "subgroup_testing.txt").write_text("patient0030\npatient0500\n")
    clips, refused = index(root)
    assert {ref.patient for ref in clips.values()} == {"patient0003"}
    assert refused["patient0130_4CH"].startswith("0 of the lists")
    assert refused["patient0030_4CH"].startswith("2 of the lists")
    assert "not in the folder" in refused["patient0500_4CH"]
    (lists / "subgroup_testing.txt").write_text("../../etc\n")
    with pytest.raises(DataError, match="patientNNNN is expected"):
        index(root)


def test_other_layouts_are_refused(tmp_path):
    root = camus(tmp_path / "CAMUS_public", PATIENTS)
    with pytest.raises(DataError, match=r"no database_nifti/.*Found: CAMUS_public"):
        load(str(tmp_path))
    old = root / "database_nifti" / "patient0003"
    for file in old.iterdir():
        file.rename(file.with_suffix(".mhd"))
    with pytest.raises(DataError, match=r"\.mhd, as in the older release"):
        load(str(root))


def test_the_contract(tmp_path):
    class Contract(LoaderContract):
        beside = ("*_gt.nii.gz", "*_ED.nii.gz", "*.cfg", "subgroup_*.txt")

    keep(Contract.of(load, where=str(camus(tmp_path, PATIENTS))))


@settings(max_examples=8, deadline=None)
@given(
    st.dictionaries(
        st.integers(1, 9999).map("patient{:04d}".format),
        st.sampled_from(["training", "validation", "testing"]),
        min_size=1,
        max_size=3,
    )
)
def test_every_layout_is_listed_whole(patients):
    with tempfile.TemporaryDirectory() as folder:
        clips, refused = index(camus(Path(folder), patients, masks=False))
    assert refused == {}
    assert {ref.patient: ref.labels["Split"] for ref in clips.values()} == patients
    assert len(clips) == 2 * len(patients)
