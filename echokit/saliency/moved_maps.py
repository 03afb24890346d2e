"""Compare a map's score with those of the same map moved elsewhere, the null distribution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LEVEL = 0.05
"""Largest p of a map that marks what the prediction depends on."""
PLACE_LEVEL = 0.25
"""Largest p of a map that lies on the expected structures.

It is mild, because a network may rightly look elsewhere."""
EFFECT = 0.02
"""Smallest difference of probability from that of moved maps that counts as an effect."""


@dataclass(frozen=True, slots=True)
class Chance:
    """The scores of moved maps, and the rank of the map among them."""

    mean: float
    """Mean score of the moved maps."""
    sd: float
    """Standard deviation of the scores of the moved maps."""
    p: float
    """(1 + number of moved maps that score no less) / (1 + number of moved maps), in (0, 1]."""


def moved(
    values: Float[np.ndarray, "T H W"], number: int, rng: np.random.Generator
) -> Iterator[Float[np.ndarray, "T H W"]]:
    """Move a map to random places: as smooth and as peaked, but unrelated to the picture.

    The map is continued by its mirror images, so that no seam appears, and a window of its size is
    cut out at random along time, rows and columns. A map of noise is as likely to score best as any
    of its moved copies, which makes the rank test exact. Shuffling single voxels or pieces would
    not do: the result is rougher than a map, and a smooth map differs from it by that alone.
    """
    for _ in range(number):
        axes = []
        for size in values.shape:
            index = (np.arange(size) + rng.integers(2 * size)) % (2 * size)
            axes.append(np.where(index < size, index, 2 * size - 1 - index))
        yield values[np.ix_(*axes)]


def compare_to_moved(score: float, moved_scores: Float[np.ndarray, " n"]) -> Chance:
    """Compare a map's score with those of its moved copies; higher is better."""
    p = (1 + int((moved_scores >= score).sum())) / (1 + len(moved_scores))
    return Chance(float(moved_scores.mean()), float(moved_scores.std(ddof=1)), p)
