"""Clips to store, and whether two are the same."""

from __future__ import annotations

import numpy as np

from echokit import Box, Clip


def clip(frames: int = 20, seed: int = 0) -> Clip:
    rng = np.random.default_rng(seed)
    return Clip(
        frames=rng.integers(0, 256, (frames, 9, 13), dtype=np.uint8),
        fps=29.97,
        spacing=(0.31, 0.27),
        sector=rng.random((9, 13)) < 0.6,
        structures=rng.integers(0, 3, (frames, 9, 13), dtype=np.uint8),
        structure_names=("septum", "left ventricle"),
        box=Box(3, 5, 90, 130),
    )


def same(a: Clip, b: Clip) -> bool:
    arrays = all(
        np.array_equal(getattr(a, name), getattr(b, name)) and getattr(a, name).dtype == dtype
        for name, dtype in (("frames", np.uint8), ("sector", bool), ("structures", np.uint8))
    )
    others = ("fps", "spacing", "box", "structure_names")
    return arrays and all(getattr(a, name) == getattr(b, name) for name in others)
