"""EchoNet-Dynamic and what every data set shares: layouts, splits, hostile lists."""

from __future__ import annotations

import csv
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from published import DYNAMIC, FRAMES, echonet_dynamic, put, table

from echokit import ClipError, ClipRef, DataError, OptionError, Rejection
from echokit.clips.splits import split_by_column
from echokit.testing import check_loader
from echokit_datasets import echonet_dynamic as load

VIDEOS = {"0X1A05DFFFCAFB253B": "TRAIN", "0X30": "VAL", "0X130": "TEST"}


def index(source, loader=load):
    """(clips by identifier, reasons by what they are given for)."""
    items = list(loader(str(source)).index())
    clips = {item.clip: item for item in items if isinstance(item, ClipRef)}
    refused = {item.where: item.reason for item in items if isinstance(item, Rejection)}
    assert len(clips) == sum(isinstance(item, ClipRef) for item in items)
    return clips, refused


def rows(root):
    with (root / "FileList.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_every_video_is_a_clip_with_the_labels_as_published(tmp_path):
    clips, refused = index(echonet_dynamic(tmp_path, VIDEOS))
    assert refused == {}
    assert list(clips) == list(VIDEOS)
    ref = clips["0X130"]
    assert (ref.patient, ref.view, ref.synthetic) == ("0X130", "A4C", False)
    assert ref.labels == dict(
        zip(DYNAMIC[1:], ["55.5", "40", "90", "112", "112", "50", "3", "TEST"], strict=True)
    ) | {"side": "test"}


def test_its_pixels_are_read_by_the_loader_of_files(tmp_path):
    loader = load(str(echonet_dynamic(tmp_path, VIDEOS)))
    ref = next(iter(loader.index()))
    clip = loader.read(ref)
    assert clip.frames.shape == FRAMES.shape
    assert abs(clip.frames.astype(int) - FRAMES).mean() < 40  # mpeg4 is lossy
    assert clip.fps == 50
    assert loader.file(ref) == tmp_path / "Videos" / "0X1A05DFFFCAFB253B.avi"
    before = loader.fingerprint(ref)
    put(loader.file(ref), loader.file(ref).read_bytes() + b"more")
    assert loader.fingerprint(ref) != before


def test_the_published_split_can_be_used(tmp_path):
    clips, _ = index(echonet_dynamic(tmp_path, VIDEOS))
    labels = {ref.patient: "any" for ref in clips.values()}
    (split,) = split_by_column(clips.values(), labels, "side")
    assert split.test == {"0X130"}
    assert split.train == {"0X1A05DFFFCAFB253B", "0X30"}


def test_the_contract(tmp_path):
    check_loader(load, str(echonet_dynamic(tmp_path, VIDEOS)))


@pytest.mark.parametrize(
    ("change", "clip", "reason"),
    [
        (lambda root: (root / "Videos" / "0X30.avi").unlink(), "0X30", "not in the folder"),
        (lambda root: _cell(root, 2, "Split", "test?"), "0X30", "none of TRAIN, VAL and TEST"),
        (lambda root: _cell(root, 2, "FileName", "0X130"), "0X130", "more than once"),
        (lambda root: _cell(root, 2, "FileName", ""), "line 3 of FileList.csv", "name is empty"),
        (lambda root: _cell(root, 2, "EF", "a\0b"), "line 3 of FileList.csv", "NUL"),
        (lambda root: _link_out(root), "0X30", "leads out of the folder"),
    ],
)
def test_what_the_list_says_wrongly_is_refused_by_name(tmp_path, change, clip, reason):
    root = echonet_dynamic(tmp_path / "set", VIDEOS)
    change(root)
    clips, refused = index(root)
    assert clip not in clips
    assert "0X1A05DFFFCAFB253B" in clips
    assert reason in refused[clip]


def _cell(root, row, column, text):
    lines = rows(root)
    lines[row][DYNAMIC.index(column)] = text
    table(root / "FileList.csv", lines[0], lines[1:])


def _link_out(root):
    put(root.parent / "private.avi")
    (root / "Videos" / "0X30.avi").unlink()
    (root / "Videos" / "0X30.avi").symlink_to(root.parent / "private.avi")


def test_a_file_that_no_list_names_is_refused_without_its_name(tmp_path):
    root = echonet_dynamic(tmp_path, VIDEOS)
    put(root / "Videos" / "Erika Mustermann.avi")
    clips, refused = index(root)
    assert len(clips) == 3
    assert refused == {"file 1 beside the data set": "no list of EchoNet-Dynamic names it"}


def test_other_layouts_are_refused_by_what_was_expected_and_found(tmp_path):
    with pytest.raises(DataError, match=r"no folder .*nowhere.* Give the folder .* not downloaded"):
        load(str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="no source"):
        load("")
    put(tmp_path / "clips" / "a.avi")
    with pytest.raises(DataError, match=r"no FileList.csv\. Expected: .*Videos/.*Found: a\.avi"):
        load(str(tmp_path / "clips"))
    root = echonet_dynamic(tmp_path / "set", VIDEOS)
    table(root / "FileList.csv", ["FileName", "Split"], [])
    with pytest.raises(DataError, match=r"no column EF or ESV or EDV.*Found: FileName, Split"):
        index(root)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xfe\x00", "not in UTF-8"),
        (b'FileName,EF,ESV,EDV,Split\n"0X30', "no CSV"),
        (b"FileName,EF,ESV,EDV,Split\n" + b"a" * ((1 << 20) + 1), "too long"),
        (b"FileName,EF,ESV,EDV,Split,EF\n", "'EF' twice"),
        (b"", "no column FileName"),
    ],
)
def test_a_list_that_is_none_is_an_error_in_a_sentence(tmp_path, data, said):
    root = echonet_dynamic(tmp_path, VIDEOS)
    (root / "FileList.csv").write_bytes(data)
    with pytest.raises(DataError, match=said):
        index(root)


@pytest.mark.parametrize(
    "where",
    [
        "",
        "/etc/passwd",
        "../private.avi",
        "FileList.csv",
        "Videos/../../private.avi",
        "Videos/\0.avi",
    ],
)
def test_a_forged_reference_reads_nothing_outside(tmp_path, where):
    put(tmp_path / "private.avi")
    loader = load(str(echonet_dynamic(tmp_path / "set", VIDEOS)))
    with pytest.raises(ClipError):
        loader.read(ClipRef("forged", "p", None, where=where))


def test_limits_are_those_of_files(tmp_path):
    root = str(echonet_dynamic(tmp_path, VIDEOS))
    with pytest.raises(OptionError, match="limits has no 'memroy'"):
        load(root, limits={"memroy": 1})
    loader = load(root, limits={"frames": 2})
    with pytest.raises(ClipError, match="more than the 2 frames"):
        loader.read(next(iter(loader.index())))


def test_numbers_that_differ_from_the_publication_are_said(tmp_path):
    (said,) = load(str(echonet_dynamic(tmp_path, VIDEOS))).remarks()
    assert "clips: 10,030 published, 3 here" in said
    assert "Split TEST: 1,277 published, 1 here" in said


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
HOSTILE = st.one_of(
    NAMES,
    st.sampled_from(
        ["..", "../x", "/etc/passwd", "a/b", "a\\b", "=cmd()", "\x1b[2J", ".hidden", "x" * 300]
    ),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE), max_size=5))
def test_hostile_cells_never_lead_out_and_never_vanish(listed):
    with tempfile.TemporaryDirectory() as folder:
        root = echonet_dynamic(Path(folder), {"0X1": "TEST"})
        body = [[name, ef, "1", "2", "1", "1", "1", "1", split] for name, ef, split in listed]
        table(root / "FileList.csv", DYNAMIC, [*body, ["0X1", *"12345678"[:7], "TEST"]])
        items = list(load(str(root)).index())
        assert len(items) >= sum(any(map(str.strip, row)) for row in body)
        for item in items:
            if isinstance(item, ClipRef):
                assert item.clip == "0X1"
            else:
                assert item.where.isprintable()
                assert item.reason.isprintable()


@settings(max_examples=12, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"0X[0-9A-F]{1,8}", fullmatch=True),
        st.sampled_from(["TRAIN", "VAL", "TEST"]),
        min_size=1,
        max_size=6,
    )
)
def test_every_layout_is_listed_whole(videos):
    with tempfile.TemporaryDirectory() as folder:
        clips, refused = index(echonet_dynamic(Path(folder), videos))
    assert refused == {}
    assert {name: ref.labels["Split"] for name, ref in clips.items()} == videos
    assert {ref.patient for ref in clips.values()} == set(videos)
    assert all((ref.labels["side"] == "test") == (videos[n] == "TEST") for n, ref in clips.items())


def test_streams_pass_through(tmp_path):
    loader = load(str(echonet_dynamic(tmp_path, VIDEOS)))
    ref = next(iter(loader.index()))
    stream = loader.stream(ref, lambda length: [0])
    assert stream is None or np.array_equal(stream.few.frames, loader.read(ref).frames[:1])


def test_isolated_reading_gives_the_same(tmp_path):
    root = str(echonet_dynamic(tmp_path, VIDEOS))
    ref = next(iter(load(root).index()))
    alone = partial(load, isolate=True)(root)
    assert np.array_equal(alone.read(ref).frames, load(root).read(ref).frames)
