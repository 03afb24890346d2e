"""Prediction on real clips that none of us made, and the errors a user meets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.examples import get_path

from echokit import load


def bundled() -> Path:
    """A real apical four-chamber cine that comes with pydicom."""
    return Path(get_path("ybr_color"))


def full_size() -> Path:
    """Its full-size original, with text and a button bar burned in, from pydicom-data."""
    return Path(str(get_testdata_file("color3d_jpeg_baseline.dcm", download=False)))


@pytest.mark.parametrize("clip", [bundled, full_size])
def test_a_real_dicom_is_predicted(clip, small_run: Path, echokit, tmp_path: Path) -> None:
    out = tmp_path / "result"
    done = echokit("predict", small_run, clip(), "--view", "a4c", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "prediction.json").read_text())
    assert json.loads(done.stdout) == result
    (subject,) = result["subjects"]
    assert subject["label"] in result["classes"]
    assert subject["views_used"] == ["A4C"]
    assert subject["views_missing"] == ["PLAX", "PSAX-P"]
    (judged,) = subject["clips"]
    assert len(judged["sequences"]) == 4
    with np.load(out / judged["saliency"]["array"]) as arrays:
        assert arrays["saliency"].shape == (12, 32, 32)
    with Image.open(out / judged["saliency"]["movie"]) as movie:
        assert 8 < movie.n_frames <= 12  # WebP merges frames that do not differ
        assert movie.width > 2 * 100  # the source's own resolution, twice side by side
    page = (out / "index.html").read_text()
    assert "not a medical device" in page
    assert "synthetic" in page.lower()
    in_python = load(small_run).predict(clip(), view="A4C").to_json()
    for document in (result, in_python):
        document.pop("stages")
    assert_alike(json.loads(json.dumps(in_python)), result)


def assert_alike(one: object, other: object) -> None:
    """The same document, but for how processes with other numbers of threads round."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert list(one) == list(other)
        for key in one:
            assert_alike(one[key], other[key])
    elif isinstance(one, list) and isinstance(other, list):
        for here, there in zip(one, other, strict=True):
            assert_alike(here, there)
    else:
        assert one == (pytest.approx(other, abs=1e-5) if isinstance(other, float) else other)


def test_a_folder_votes_over_its_views_and_names_what_it_cannot_use(
    small_run: Path, echokit, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    done = echokit(
        "data", "phantom", "--out", study, "--patients", "3", "--size", "96", "--frames", "20"
    )
    assert done.returncode == 0, done.stderr
    one = tmp_path / "one"
    one.mkdir()
    for path in (study / "videos").glob("P0001-*.dcm"):
        shutil.copy(path, one)
    (one / "letter.dcm").write_text("Dear colleague")
    done = echokit("predict", small_run, one, "--out", tmp_path / "result")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result" / "prediction.json").read_text())
    (subject,) = result["subjects"]
    assert set(subject["views_used"]) <= {"PLAX", "A4C", "PSAX-P"}
    (letter,) = [item for item in result["rejected"] if "not a DICOM file" in item["reason"]]
    assert letter["where"].startswith("file "), "a name of a file may name a patient"


def broken_studies(folder: Path) -> dict[str, Path]:
    """Studies that no prediction can be made of."""
    text = folder / "text.dcm"
    text.write_text("this is not DICOM")
    truncated = folder / "truncated.dcm"
    truncated.write_bytes(bundled().read_bytes()[:20000])
    still = folder / "still.dcm"
    dataset = pydicom.dcmread(get_path("rgb_color"))
    dataset.save_as(still)
    empty = folder / "empty"
    empty.mkdir()
    return {"text": text, "truncated": truncated, "still": still, "empty": empty}


@pytest.mark.parametrize("kind", ["text", "truncated", "still", "empty"])
def test_a_broken_study_is_one_line_and_nothing_written(
    kind: str, small_run: Path, echokit, tmp_path: Path
) -> None:
    study, out = broken_studies(tmp_path)[kind], tmp_path / "result"
    done = echokit("predict", small_run, study, "--view", "A4C", "--out", out, "--quiet")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: No clip of the study can be used. ")
    assert not out.exists()


def test_a_clip_of_unknown_view_is_rejected_by_name(
    small_run: Path, echokit, tmp_path: Path
) -> None:
    done = echokit("predict", small_run, bundled(), "--out", tmp_path / "result", "--quiet")
    assert done.returncode == 3
    assert "its view is unknown" in done.stderr
    assert not (tmp_path / "result").exists()


def test_a_run_without_networks_is_one_line(small_run: Path, echokit, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("run.json", "recipe.toml"):
        shutil.copy(small_run / name, bare)
    done = echokit("predict", bare, bundled(), "--view", "A4C", "--out", tmp_path / "result")
    assert done.returncode == 2
    assert "holds no trained network" in done.stderr
    assert not (tmp_path / "result").exists()


def test_no_patient_name_leaves_the_file(small_run: Path, echokit, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(bundled())
    dataset.PatientName, dataset.PatientID = "Quisling^Zebediah", "MRN-555-0199"
    dataset.save_as(tmp_path / "clip.dcm")
    out = tmp_path / "result"
    done = echokit("predict", small_run, tmp_path / "clip.dcm", "--view", "A4C", "--out", out)
    assert done.returncode == 0, done.stderr
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    names = "".join(path.name for path in out.rglob("*"))
    for word in ("Quisling", "Zebediah", "MRN-555-0199"):
        assert word not in done.stdout + done.stderr + names
        assert word.encode() not in written
