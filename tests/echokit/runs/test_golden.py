"""A small run gives the figures that it gave before: predictions, metrics, calibration, maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytestmark = pytest.mark.slow
GOLDEN = Path(__file__).parent / "golden" / "small-run.json"
TIGHT = 1e-6
"""On the processor and the PyTorch that the golden figures come from."""
LOOSE = 0.05
"""Elsewhere, of probabilities alone: sums in another order change two epochs of training a little,
and one label that flips among six patients changes every figure of its row."""


def figures(folder: Path) -> dict[str, Any]:
    """The figures of a run as plain values."""
    written = {
        name: json.loads((folder / f"{name}.json").read_text("utf-8"))["rows"]
        for name in ("metrics", "fusion", "calibration")
    }
    maps = json.loads((folder / "saliency" / "index.json").read_text("utf-8"))
    table = pd.read_parquet(folder / "predictions.parquet")
    names = ["level", "view", "patient", "clip", "start"]
    predictions = {
        " ".join(map(str, key)): {
            "predicted": row["predicted"],
            "confidence": row["confidence"],
            "probabilities": [float(p) for p in row["probabilities"]],
        }
        for key, row in zip(
            table[names].itertuples(index=False), table.to_dict("records"), strict=True
        )
    }
    scores = {one["clip"]: {key: one[key] for key in ("start", "scores")} for one in maps["maps"]}
    return written | {"predictions": predictions, "maps": scores, "networks": maps["networks"]}


def arithmetic(folder: Path) -> dict[str, str]:
    """What decides in which order a run takes its sums."""
    environment = json.loads((folder / "environment.json").read_text("utf-8"))
    return {"cpu": environment["machine"]["cpu"], "torch": environment["torch"]}


def differences(got: Any, golden: Any, tolerance: float, at: str = "") -> list[str]:
    """Where two trees of plain values differ; what is new in a table is no difference."""
    if isinstance(golden, dict) and isinstance(got, dict):
        missing = [f"{at}/{key}: gone" for key in golden if key not in got]
        pairs = [(f"{at}/{key}", got[key], golden[key]) for key in golden if key in got]
    elif isinstance(golden, list) and isinstance(got, list):
        missing = [f"{at}: {len(got)} for {len(golden)}"] if len(got) != len(golden) else []
        pairs = [(f"{at}/{i}", *pair) for i, pair in enumerate(zip(got, golden, strict=False))]
    elif isinstance(golden, float) and isinstance(got, int | float):
        near = got == pytest.approx(golden, rel=tolerance, abs=tolerance)
        return [] if near else [f"{at}: {got} for {golden}"]
    else:
        return [] if got == golden else [f"{at}: {got} for {golden}"]
    return missing + [line for place, a, b in pairs for line in differences(a, b, tolerance, place)]


def test_a_small_run_gives_the_figures_it_gave_before(small_run: Path) -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))
    got = figures(small_run)
    if arithmetic(small_run) == golden["arithmetic"]:
        assert differences(got, golden["figures"], TIGHT) == []
    else:
        probabilities, expected = (
            {name: row["probabilities"] for name, row in tree["predictions"].items()}
            for tree in (got, golden["figures"])
        )
        assert differences(probabilities, expected, LOOSE) == []


def test_a_changed_figure_would_be_seen(small_run: Path) -> None:
    figure = figures(small_run)
    changed = json.loads(json.dumps(figure))
    changed["metrics"][0]["auroc"]["mean"] += 1e-4
    del changed["fusion"][-1]
    assert len(differences(changed, figure, TIGHT)) == 2
    assert differences(figure, figure, 0.0) == []
