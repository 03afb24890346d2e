"""The synthetic cohort: frames per second of one core."""

from __future__ import annotations

import time
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from echokit import VIEWS, Loader, resolve
from echokit.bench.timing import Claim, timing_row

AT_LEAST = 150
"""Frames per second."""


def measure(quick: bool) -> list[dict[str, Any]]:
    """One row: a frame of the synthetic cohort, over clips of all views."""
    side, frames, patients = (48, 12, 3) if quick else (224, 122, 5)
    loader: Loader = resolve(
        "loader",
        "phantom",
        patients=patients,
        clips=patients * len(VIEWS),
        size=side,
        frames=frames,
        files=0,
    )
    refs: Any = loader.index()
    each = []
    with threadpool_limits(1):
        loader.read(refs[0])
        for ref in refs:
            started = time.process_time()
            made = len(loader.read(ref).frames)
            each.append((time.process_time() - started) / made)
    claim = Claim(f"a synthetic frame {side}×{side}, one core", "", seconds=1 / AT_LEAST)
    row = timing_row(claim, each)
    return [row | {"note": f"{1 / row['ours_s']:.0f} frames per second"}]
