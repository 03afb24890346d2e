"""Read the results of a run as tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from echokit.system.files import read_json


def metrics_frame(path: Path) -> pd.DataFrame:
    """Read `metrics.json`: each metric in columns for its mean, deviation and interval."""
    return pd.DataFrame([_flat(row) for row in read_json(path)["rows"]])


def _flat(row: Mapping[str, Any]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in row.items():
        if not isinstance(value, Mapping):
            if name != "classes":
                flat[name] = value
            continue
        low, high = value["ci95"] or (None, None)
        flat |= {name: value["mean"], f"{name}_sd": value["sd"]}
        flat |= {f"{name}_low": low, f"{name}_high": high}
    return flat


def history_frame(models: Path) -> pd.DataFrame:
    """Read how each network was trained: one row for each epoch."""
    rows = []
    for path in sorted(models.rglob("split-*.json")):
        network = read_json(path)
        place = {key: network[key] for key in ("task", "approach", "view", "split", "fold")}
        rows += [place | epoch for epoch in network["history"]]
    return pd.DataFrame(rows)
