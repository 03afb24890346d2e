"""NED: newborns' clips in case folders, each with a list of viewpoints."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import FRAMES, ned, put, table
from sklearn.model_selection import KFold

from echokit import ClipRef, DataError, OptionError, Rejection
from echokit.testing import check_loader
from echokit_datasets import ned as load
from echokit_datasets.ned import assign_folds

CASES = {"30": {"0001": "A4C", "0002.mp4": "PSAX at the papillary muscles"}, "130": {"0001": "A4C"}}


def index(source, **options):
    items = list(load(str(source), **options).index())
    clips = {item.clip: item for item in items if isinstance(item, ClipRef)}
    return clips, {item.where: item.reason for item in items if isinstance(item, Rejection)}


def written(root, cases=CASES):
    """NED, in whose lists some names have their suffix."""
    ned(
        root,
        {case: {n.removesuffix(".mp4"): v for n, v in own.items()} for case, own in cases.items()},
    )
    for case, own in cases.items():
        table(
            root / "echos_video" / case / "labels.csv", ("Filename", "Classification"), own.items()
        )
    return root


@pytest.mark.parametrize("inner", ["", "echos_video"])
def test_a_case_is_a_patient_and_the_viewpoint_its_view(tmp_path, inner):
    clips, refused = index(written(tmp_path) / inner, folds=2)
    assert refused == {}
    assert {name: (ref.patient, ref.view) for name, ref in clips.items()} == {
        "30/0001": ("30", "A4C"),
        "30/0002": ("30", "PSAX at the papillary muscles"),
        "130/0001": ("130", "A4C"),
    }
    assert clips["30/0001"].labels["Classification"] == "A4C"
    assert {ref.labels["fold"] for ref in clips.values()} == {"0", "1"}


def test_folds_are_those_of_the_published_code(tmp_path):
    names = sorted(str(number) for number in range(23))
    for fold, (_, held_out) in enumerate(KFold(5, shuffle=True, random_state=42).split(names)):
        assert {names[i] for i in held_out} == {
            name for name, own in assign_folds(names, 5).items() if own == str(fold)
        }
    assert assign_folds(names[:4], 5) == {}
    with pytest.raises(OptionError, match="write 2 or more"):
        load(str(written(tmp_path)), folds=1)


def test_what_a_list_says_wrongly_is_refused_by_name(tmp_path):
    root = written(tmp_path) / "echos_video"
    put(root / "31" / "0001.mp4")
    rows = [("0001", ""), ("0009", "A4C"), ("../31/0001", "A4C"), ("0002", "A4C", "more")]
    table(root / "130" / "labels.csv", ("Filename", "Classification"), rows)
    clips, refused = index(root)
    assert set(clips) == {"30/0001", "30/0002"}
    assert refused["130/0001"] == "its Classification is empty"
    assert refused["130/0009"] == "its file is not in the folder"
    assert refused["line 4 of 130/labels.csv"] == "its name is none of a file"
    assert "3 cells under 2 columns" in refused["line 5 of 130/labels.csv"]
    assert "labels.csv cannot be read" in refused["31"]


def test_other_layouts_are_refused(tmp_path):
    put(tmp_path / "30" / "0001.mp4")
    with pytest.raises(DataError, match=r"no folder in it has a labels.csv.*Found: 30"):
        load(str(tmp_path))


def test_a_clip_is_read(tmp_path):
    loader = load(str(written(tmp_path)))
    clip = loader.read(next(iter(loader.index())))
    assert clip.frames.shape == FRAMES.shape
    assert clip.frames.dtype == np.uint8


def test_the_contract(tmp_path):
    check_loader(load, str(written(tmp_path)))


@settings(max_examples=10, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,6}[a-z0-9]", fullmatch=True),
        st.dictionaries(
            st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True),
            st.sampled_from(["A4C", "PLAX"]),
            max_size=2,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_every_layout_is_listed_whole(cases):
    with tempfile.TemporaryDirectory() as folder:
        clips, refused = index(written(Path(folder), cases))
    assert refused == {}
    assert {name: ref.view for name, ref in clips.items()} == {
        f"{case}/{name}": view for case, own in cases.items() for name, view in own.items()
    }
