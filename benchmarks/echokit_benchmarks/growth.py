"""Growth of cost with size, which must be linear at most."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from echokit import Clip
from echokit.clips.sequences import Item
from echokit.clips.store import Store
from echokit.components.networks import make_model
from echokit.components.slots import make_aggregator, make_preparation, make_sequence_spec
from echokit.engines.eager import run_eagerly
from echokit.recipe import load_recipe
from echokit.testing import tiny_clip
from echokit.voting.votes import vote_clips

AT_MOST = 1.1
"""Largest exponent of cost in size, over the three largest sizes, that counts as linear; a tenth is
left to the inaccuracy of timing."""
CLASSES = ("none", "mild", "moderate-severe")


def measure(quick: bool) -> list[dict[str, Any]]:
    """Fit the exponent of cost for each kind of size: one row each, with the points."""
    steps = 2 if quick else 5
    doubled = [2**step for step in range(steps)]
    recipe = load_recipe("ph-newborn", preset="quick", settings=["backbone.weights=none"])
    prepare = make_preparation(load_recipe("ph-newborn", preset="paper"))

    def prepared(clip: Clip) -> Callable[[], object]:
        return lambda: prepare(clip)

    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch) / "store.zarr")
        small = tiny_clip(40, 48, 48)
        items = [Item(f"clip-{n}", f"{n:032x}", 40, 0) for n in range(doubled[-1] * 2)]
        for item in items:
            store.put(item.key, small)
        models = [make_model(recipe, len(CLASSES)).eval() for _ in range(5)]

        def voted(clips: int, views: int = 1) -> Callable[[], object]:
            def vote() -> None:
                for model in models[:views]:
                    spec = make_sequence_spec(recipe, training=False)
                    rule = make_aggregator(recipe.aggregate.view)
                    list(
                        vote_clips(
                            run_eagerly(model).forward, items[:clips], CLASSES, store, spec, rule
                        )
                    )

            return vote

        cases: list[tuple[str, str, Iterable[tuple[int, Callable[[], object]]]]] = [
            ("prediction", "clips", [(2 * n, voted(2 * n)) for n in doubled]),
            ("prediction", "views", [(n, voted(2, n)) for n in range(1, 3 if quick else 6)]),
            ("preparation", "frames", [(24 * n, prepared(_movie(24 * n, 240))) for n in doubled]),
            (
                "preparation",
                "pixels of a frame",
                [(round(4 * s * s / 3), prepared(_movie(24, s))) for s in _sides(doubled)],
            ),
        ]
        return [_row(step, size, points, 1 if quick else 5) for step, size, points in cases]


def _sides(doubled: list[int]) -> list[int]:
    """Compute heights of frames with 1, 2, 4 ... times as many pixels."""
    return [round(180 * n**0.5) for n in doubled]


def _movie(frames: int, height: int) -> Clip:
    """Make a clip like those of a scanner, whose sector has to be found."""
    return replace(tiny_clip(frames, height, 4 * height // 3), sector=None)


def _row(
    step: str, size: str, points: Iterable[tuple[int, Callable[[], object]]], repeats: int
) -> dict[str, Any]:
    """Time the work at each size, and fit the exponent."""
    sizes, seconds = [], []
    for number, work in points:
        work()  # imports and caches are not timed
        times = []
        for _ in range(repeats):
            started = time.process_time()
            work()
            times.append(time.process_time() - started)
        sizes.append(number)
        seconds.append(statistics.median(times))
    exponent = float(np.polyfit(np.log(sizes[-3:]), np.log(seconds[-3:]), 1)[0])
    return {
        "name": f"{step}, as the number of {size} grows from {sizes[0]} to {sizes[-1]}",
        "against": f"{size}",
        "ratio": exponent,
        "spread": None,
        "goal": f"exponent at most {AT_MOST:g}",
        "reached": exponent <= AT_MOST,
        "repeats": repeats,
        "points": [list(point) for point in zip(sizes, seconds, strict=True)],
    }
