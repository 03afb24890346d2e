"""Predicting with a bundle imports what it uses: no torch and nothing that trains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom.examples import get_path

TRAINS = {"lightning", "lightning_fabric", "monai", "pytorch_lightning", "sklearn", "torchmetrics"}
NETWORKS = {"captum", "pytorchvideo", "torch", "torchvision"}


@pytest.fixture(scope="module")
def imported(small_run: Path, echokit, fresh_echokit, tmp_path_factory: pytest.TempPathFactory):
    """A function that exports the run, predicts in a fresh process and gives what was imported."""
    parent = tmp_path_factory.mktemp("light")

    def predict(to: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
        done = echokit("export", small_run, "--to", to, "--out", parent / to)
        assert done.returncode == 0, done.stderr
        (bundle,) = (parent / to).glob("*.echokit")
        monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
        out = parent / f"{to}-result"
        clip = get_path("ybr_color")
        done = fresh_echokit("predict", bundle, clip, "--view", "A4C", "--out", out, "--quiet")
        assert done.returncode == 0, done.stderr
        assert json.loads((out / "prediction.json").read_text())["subjects"]
        timed = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
        return {line.rpartition("|")[2].strip().partition(".")[0] for line in timed}

    return predict


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_a_bundle_for_an_engine_imports_no_torch_and_nothing_that_trains(
    to: str, imported, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = imported(to, monkeypatch)
    assert {"numpy", "pydicom", "echokit"} <= modules
    assert not modules & (TRAINS | NETWORKS)


def test_a_bundle_for_torch_imports_nothing_that_trains(
    imported, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = imported("torch-export", monkeypatch)
    assert "torch" in modules
    assert not modules & TRAINS
