from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

VIEWS = ("PLAX", "A4C", "PSAX-P")


def test_a_run_leaves_behind_what_the_docs_promise(small_run: Path) -> None:
    names = {path.name for path in small_run.iterdir()}
    assert names == {
        "recipe.toml",
        "digests.json",
        "environment.json",
        "external.csv",
        "external.json",
        "external.parquet",
        "fusion.json",
        "learning.json",
        "novelty.json",
        "calibration.json",
        "cohort.csv",
        "models",
        "predictions.parquet",
        "metrics.json",
        "saliency",
        "report",
        "run.json",
    }
    for view in VIEWS:
        stem = small_run / "models" / "severity" / "spatio-temporal" / view / "split-00"
        described = json.loads(stem.with_suffix(".json").read_text())
        assert stem.with_suffix(".safetensors").is_file()
        assert described["classes"] == ["none", "mild", "moderate-severe"]
        assert described["input_shape"] == [1, 12, 32, 32]
        assert len(described["history"]) == 2


def test_the_stages_tell_their_time_and_memory(small_run: Path) -> None:
    state = json.loads((small_run / "run.json").read_text())
    assert [row["name"] for row in state["stages"]] == [
        "cohort",
        "prepare",
        "train",
        "crossfit",
        "predict",
        "fuse",
        "evaluate",
        "external",
        "calibrate",
        "novelty",
        "explain",
        "report",
    ]
    assert all(row["done"] and row["peak_memory_mb"] > 0 for row in state["stages"])
    assert state["finished"]
    assert state["synthetic"] is True


def test_held_out_patients_are_never_trained_on(small_run: Path) -> None:
    cohort = pd.read_csv(small_run / "cohort.csv", keep_default_na=False)
    used = cohort[cohort["status"] == "used"]
    sides = used.groupby("patient")["severity_split_00"].nunique()
    assert (sides == 1).all()
    predictions = pd.read_parquet(small_run / "predictions.parquet")
    held_out = set(used[used["severity_split_00"] == "test"]["patient"])
    assert set(predictions["patient"]) == held_out
    assert len(held_out) == 6


def test_every_sequence_view_and_subject_is_in_the_table(small_run: Path) -> None:
    rows = pd.read_parquet(small_run / "predictions.parquet")
    levels = rows["level"].value_counts()
    assert levels["subject"] == 6  # one view set
    assert levels["view"] == 6 * 3
    assert levels["sequence"] == 6 * 3 * 4
    probabilities = np.stack(rows["probabilities"].tolist())
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert rows["confidence"].between(0, 1, inclusive="right").all()


def test_metrics_are_of_every_view_and_the_view_set(small_run: Path) -> None:
    metrics = json.loads((small_run / "metrics.json").read_text())
    assert metrics["synthetic"] is True
    assert [row["views"] for row in metrics["rows"]] == [*VIEWS, "MV-3"]
    for row in metrics["rows"]:
        assert row["n_subjects"] == 6
        low, high = row["f1"]["ci95"]
        assert 0 <= low <= row["f1"]["mean"] <= high <= 1


def test_saliency_is_kept_as_arrays_and_plays(small_run: Path) -> None:
    maps = json.loads((small_run / "saliency" / "index.json").read_text())["maps"]
    assert {entry["view"] for entry in maps} == set(VIEWS)
    for entry in maps:
        with np.load(small_run / entry["array"]) as arrays:
            assert arrays["frames"].shape == arrays["saliency"].shape == (12, 32, 32)
            assert 0 <= arrays["saliency"].min() <= arrays["saliency"].max() <= 1
        with Image.open(small_run / entry["movie"]) as movie:
            assert movie.n_frames == 12
            corner = movie.convert("RGB").getpixel((movie.width - 3, 2))
        assert max(corner) < 24, "colour outside the sector"
        assert entry["scores"]["structures"]


def test_the_report_names_the_cohort_synthetic_and_is_no_medical_device(small_run: Path) -> None:
    page = (small_run / "report" / "index.html").read_text()
    assert "ynthetic" in page
    assert "not a medical device" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert 'src="http' not in page


def test_a_finished_run_is_left_alone_by_resume(small_run: Path, echokit) -> None:
    # a copy beside the store, because other tests look at the run meanwhile
    run = shutil.copytree(small_run, small_run.with_name("resumed"))
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*.safetensors")}
    names, metrics = {p.name for p in run.iterdir()}, (run / "metrics.json").read_bytes()
    done = echokit("run", "--resume", run, "--quiet")
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*.safetensors")} == before
    assert (run / "metrics.json").read_bytes() == metrics
    assert {p.name for p in run.iterdir()} == names


@pytest.mark.slow
def test_the_saved_recipe_repeats_the_run_bit_for_bit(small_run: Path, echokit) -> None:
    again = small_run.with_name("again")
    done = echokit("run", small_run / "recipe.toml", "--out", again, "--quiet")
    assert done.returncode == 0, done.stderr
    assert (again / "metrics.json").read_bytes() == (small_run / "metrics.json").read_bytes()
    for path in small_run.rglob("*.safetensors"):
        assert (again / path.relative_to(small_run)).read_bytes() == path.read_bytes()


def test_ctrl_c_leaves_a_run_that_can_be_finished(
    echokit, small_settings: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "stopped"
    words = [
        word
        for setting in [
            *small_settings,
            "train.epochs=400",
            "views.use=['A4C']",
            "data.views=['A4C']",
            "data.files=0",
            "test=false",
            "report.examples=1",
        ]
        for word in ("--set", setting)
    ]
    started = subprocess.Popen(
        [sys.executable, "-m", "echokit", "run", "ph-newborn", *words, "--out", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        # a background shell starts its children deaf to Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with started:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not list(folder.rglob("*.epochs.jsonl")):
            time.sleep(0.2)
        assert started.poll() is None, "it still trains"
        started.send_signal(signal.SIGINT)
        try:
            _, said = started.communicate(timeout=60)
        finally:
            started.kill()
    assert started.returncode == 130
    assert f"echokit run --resume {folder}" in " ".join(said.split())
    recipe = (folder / "recipe.toml").read_text().replace("epochs = 400", "epochs = 1")
    (folder / "recipe.toml").write_text(recipe)
    done = echokit("run", "--resume", folder, "--quiet")
    assert done.returncode == 0, done.stderr
    assert (folder / "report" / "index.html").is_file()
