"""Summarise a metric over splits."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from echokit.evaluation.rows import Spread


def mean_sd(values: Iterable[float | None]) -> Spread | None:
    """Compute mean and sample deviation of the defined values.

    Args:
        values: a value for each split; None or NaN if a split does not define the metric.

    Returns:
        `mean` and `sd`, where `sd` is None for a single value; None without any value.
    """
    known = [value for value in values if value is not None and not np.isnan(value)]
    if not known:
        return None
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Spread(mean=float(np.mean(known)), sd=sd)
