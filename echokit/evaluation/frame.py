"""Show rows of metrics as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from echokit.evaluation.metric_names import LABEL_NAMES


def flat_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows of metrics as a table: each metric in columns for mean, deviation and interval.

    Args:
        rows: those of `metrics.json` or `external.json`.

    Returns:
        Columns `<metric>`, `<metric>_sd`, `<metric>_low` and `<metric>_high`; a metric at one label
        is named `<metric>_<label>`.
    """
    return pd.DataFrame([_flat(row) for row in rows])


def _flat(row: Mapping[str, Any]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= _columns(name, value)
        elif not isinstance(value, list):
            flat[name] = value
    for at in row.get("by_label", ()):
        for metric in LABEL_NAMES:
            flat |= _columns(f"{metric}_{at['label']}", at[metric] or {})
    return flat


def _columns(name: str, figure: Mapping[str, Any]) -> dict[str, object]:
    low, high = figure.get("ci95") or (None, None)
    flat = {name: figure.get("mean"), f"{name}_sd": figure.get("sd")}
    return flat | {f"{name}_low": low, f"{name}_high": high}
