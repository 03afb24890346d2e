"""Generation of the synthetic cohort: frames per second on one core."""

from __future__ import annotations

import time
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from echokit import VIEWS, Loader, resolve
from echokit.bench.timing import Claim, timing_row

AT_LEAST = 150
"""Goal in frames per second."""


def measure(quick: bool) -> list[dict[str, Any]]:
    """Time a frame of the synthetic cohort over clips of all views: one row."""
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
    seconds = []
    with threadpool_limits(1):
        loader.read(refs[0])  # imports and caches are not timed
        for ref in refs:
            started = time.process_time()
            generated = len(loader.read(ref).frames)
            seconds.append((time.process_time() - started) / generated)
    claim = Claim(f"a synthetic frame {side}×{side}, one core", "", seconds=1 / AT_LEAST)
    row = timing_row(claim, seconds)
    return [row | {"note": f"{1 / row['ours_s']:.0f} frames per second"}]
