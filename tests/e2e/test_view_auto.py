"""A clip whose file does not say its view, from its pixels to a verdict."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

SMALL = [
    "data.patients=15",
    "data.size=64",
    "data.frames=16",
    "data.frames_sd=1",
    "prepare.resize.size=32",
    "split.held_out=0.4",
    "backbone.width=4",
    "train.epochs=1",
    "sequences.n=3",
    "report.examples=0",
    "evaluate.bootstrap=20",
]


@pytest.fixture(scope="module")
def view_run(small_run: Path, echokit, once) -> Path:
    """A finished run that tells views, beside the one that predicts."""

    def write(folder: Path) -> None:
        sets = [word for setting in SMALL for word in ("--set", setting)]
        done = echokit("run", "echo-view", *sets, "--out", folder, "--quiet")
        assert done.returncode == 0, done.stderr

    folder = once("views", write)
    assert folder.parent == small_run.parent
    return folder


@pytest.fixture(scope="module")
def study(echokit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One patient's clips; the name of the first tells nothing, that of the second its view."""
    out = tmp_path_factory.mktemp("phantom") / "phantom"
    words = ("--patients", "3", "--size", "96", "--frames", "20", "--format", "mp4")
    done = echokit("data", "phantom", "--out", out, *words)
    assert done.returncode == 0, done.stderr
    videos = sorted((out / "videos").glob("*.mp4"))
    folder = tmp_path_factory.mktemp("study") / "newborn"
    folder.mkdir()
    shutil.copy(videos[0], folder / "loop1.mp4")
    shutil.copy(videos[1], folder / "loop2_A4C.mp4")
    return folder


def test_a_run_tells_the_views_of_held_out_patients(view_run: Path) -> None:
    rows = pd.read_parquet(view_run / "predictions.parquet")
    assert set(rows["view"]) == {"all"}
    assert set(rows["level"]) == {"sequence", "view"}
    page = (view_run / "report" / "index.html").read_text()
    assert "One network for all views" in page
    assert "ynthetic" in page


def test_auto_finds_the_view_and_leaves_the_named_one(
    small_run: Path, view_run: Path, study: Path, echokit, tmp_path: Path
) -> None:
    out = tmp_path / "result"
    words = ("--view", "auto", "--view-threshold", "0", "--out", out, "--json")
    done = echokit("predict", small_run, study, *words)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["view_run"] == view_run.name
    clips = [clip for subject in result["subjects"] for clip in subject["clips"]]
    told = {
        entry.get("clip") or entry["where"]: (entry["view_from"], entry["view_confidence"])
        for entry in (*clips, *result["rejected"])
    }
    [named] = [value for name, value in told.items() if "A4C" in name]
    [found] = [value for name, value in told.items() if "A4C" not in name]
    assert named == ("file", None)
    assert found[0] == "network"
    assert 0.2 <= found[1] <= 1  # the likeliest of five


def test_an_unclear_view_is_rejected_by_name(
    small_run: Path, view_run: Path, study: Path, echokit, tmp_path: Path
) -> None:
    words = ("--view", "auto", "--view-run", view_run, "--view-threshold", "1", "--quiet")
    done = echokit("predict", small_run, study / "loop1.mp4", *words, "--out", tmp_path / "result")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "its view is unclear: " in done.stderr
    assert "(threshold 1.00)" in done.stderr
    assert not (tmp_path / "result").exists()
