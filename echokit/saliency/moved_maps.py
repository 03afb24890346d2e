"""What chance gives: the same map moved elsewhere, and how a map's score compares with that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LEVEL = 0.05
"""The largest p of a map that marks what the prediction rests on."""
PLACE_LEVEL = 0.25
"""The largest p of a map that lies where it should; mild, for a network may look elsewhere."""
EFFECT = 0.02
"""The least difference from chance that counts, in probability; less is no reason to show."""


@dataclass(frozen=True, slots=True)
class Chance:
    """What moved maps score, and how often they do as well as the map itself."""

    mean: float
    """Mean score of the moved maps."""
    sd: float
    """Its standard deviation over them."""
    p: float
    """(1 + moved maps that score no less) / (1 + moved maps), in (0, 1]."""


def moved(
    values: Float[np.ndarray, "T H W"], number: int, rng: np.random.Generator
) -> Iterator[Float[np.ndarray, "T H W"]]:
    """The same map in other places: as smooth, as peaked, and saying nothing of the picture.

    The map is continued by its mirror images, so that no seam is made, and a window of its size is
    cut out at random along time, rows and columns. A map of noise is as likely as any of its copies
    to score best, which makes the rank test exact; single voxels or pieces in random order would
    not do, for they are rougher than a map, and a smooth map differs from them by that alone.
    """
    for _ in range(number):
        axes = []
        for size in values.shape:
            at = (np.arange(size) + rng.integers(2 * size)) % (2 * size)
            axes.append(np.where(at < size, at, 2 * size - 1 - at))
        yield values[np.ix_(*axes)]


def against(own: float, others: Float[np.ndarray, " n"]) -> Chance:
    """Compare a score with those of moved maps; more is better."""
    p = (1 + int((others >= own).sum())) / (1 + len(others))
    return Chance(float(others.mean()), float(others.std(ddof=1)), p)
