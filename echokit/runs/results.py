"""Read the results of a run as tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from echokit.evaluation.frame import flat_frame
from echokit.system.checked import read_json


def metrics_frame(path: Path) -> pd.DataFrame:
    """Read `metrics.json`: each metric in columns for its mean, deviation and interval."""
    return flat_frame(read_json(path)["rows"])


def history_frame(models: Path) -> pd.DataFrame:
    """Read how each network was trained: one row for each epoch."""
    rows = []
    for path in sorted(models.rglob("split-*.json")):
        network = read_json(path)
        place = {key: network[key] for key in ("task", "approach", "view", "split", "fold")}
        rows += [place | epoch for epoch in network["history"]]
    return pd.DataFrame(rows)
