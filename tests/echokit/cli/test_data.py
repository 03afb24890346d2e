"""`echokit data`: what it removes, and what it says of clips."""

import numpy as np
import pytest
from deidentified import screen, study
from files_loader import dataset, save
from typer.testing import CliRunner

from echokit import Clip
from echokit.cli import app
from echokit.clips.store import Store
from echokit.errors import UsageError
from echokit.system.files import write_json

PREDICTION = {"study": "Study of 26 Nov 2026, 1 clip", "task": "severity", "subjects": []}


def data(*words, answer=None):
    return CliRunner().invoke(app, ["data", *map(str, words)], input=answer, catch_exceptions=False)


def test_a_result_is_kept_without_its_pixels(tmp_path):
    write_json(tmp_path / "prediction.json", PREDICTION)
    (tmp_path / "saliency").mkdir()
    (tmp_path / "saliency" / "a.webp").write_bytes(b"pixels")
    assert data("forget", tmp_path, answer="n\n").exit_code == 1
    assert (tmp_path / "saliency").is_dir(), "not without being asked"
    assert data("forget", tmp_path, "--yes").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "prediction.json"]


def test_a_store_is_removed_whole_and_other_folders_are_refused(tmp_path):
    store = Store(tmp_path / "store.zarr")
    store.put("key", Clip(np.zeros((4, 8, 8), np.uint8)))
    assert store.path.stat().st_mode & 0o777 == 0o700
    with pytest.raises(UsageError, match="holds no pixels"):
        data("forget", tmp_path, "--yes")
    assert data("forget", store.path, "--yes").exit_code == 0
    assert not store.path.exists()


def test_examinations_are_shown_and_told_apart(tmp_path, monkeypatch):
    for number, day in enumerate(("20240101", "20240101", "20240301")):
        ds = study(dataset(screen(number), "MONOCHROME2", ViewName="A4C"), number)
        ds.StudyDate = day
        save(ds, tmp_path / f"{number}.dcm")
    monkeypatch.setenv("COLUMNS", "200")
    said = data("check", tmp_path).output
    shown = [word for word in said.split() if word.startswith("S-")]
    assert shown[0] == shown[1] != shown[2]
    assert "Patients with several examinations: 1" in " ".join(said.split())
    assert "20240101" not in said
