"""Small made-up inputs: a moving clip with a scanning sector, and votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from echokit.types import Clip, Votes

CLASSES = ("none", "mild", "moderate-severe")


def tiny_clip(
    frames: int = 14,
    height: int = 72,
    width: int = 96,
    *,
    dtype: Literal["uint8", "float32"] = "uint8",
    known: bool = True,
    seed: int = 0,
) -> Clip:
    """Make a clip of a bright wall that beats in flickering speckle within a fan.

    Args:
        frames: number of frames T, at 25 a second.
        height: rows H.
        width: columns W; not the height, so that a mixed-up axis shows.
        dtype: `uint8` as a loader gives frames, `float32` in [0, 1] as an augmentation meets them.
        known: give the sector and the structures (label 1, `wall`) too; else neither.
        seed: of the speckle.

    Returns:
        The clip, black outside its sector; a new one each time, so it may be compared afterwards.
    """
    rng = np.random.default_rng(seed)
    sector, depth, angle = _fan(height, width)
    beat = np.sin(2 * np.pi * np.arange(frames) / 10)[:, None, None]
    across = np.abs(angle) / angle[sector].max()
    ring = np.hypot((depth - 0.6) * 2.5, across * 1.6)
    wall = (np.abs(ring - 0.45 - 0.12 * beat) < 0.1) & sector
    tissue = 0.25 + 0.55 * wall
    image = np.where(sector, tissue * rng.rayleigh(0.8, (frames, height, width)), 0.0).clip(0, 1)
    pixels = image.astype(np.float32) if dtype == "float32" else (image * 255).astype(np.uint8)
    return Clip(
        frames=pixels,
        fps=25.0,
        spacing=(0.5, 0.5),
        sector=sector if known else None,
        structures=wall.astype(np.uint8) if known else None,
        structure_names=("wall",) if known else (),
    )


def tiny_votes(
    labels: Sequence[int] = (0, 2, 2, 1),
    *,
    confidences: Sequence[float] | None = None,
    classes: Sequence[str] = CLASSES,
    seed: int = 0,
) -> Votes:
    """Make votes whose probabilities are random but highest at each voter's label.

    Args:
        labels: index into `classes` that each of the n voters chose.
        confidences: confidence of each voter in (0, 1]; None for voters without, as sequences.
        classes: label names, least severe first.
        seed: of the probabilities.
    """
    chosen = np.asarray(labels, dtype=np.int64).reshape(-1)
    return Votes(
        classes=tuple(classes),
        voters=tuple(f"voter-{index}" for index in range(len(chosen))),
        labels=chosen,
        probabilities=_probabilities(chosen, len(classes), np.random.default_rng(seed)),
        confidences=None if confidences is None else np.asarray(confidences, dtype=np.float64),
    )


def _probabilities(
    labels: np.ndarray, classes: int, rng: np.random.Generator
) -> Float[np.ndarray, "n K"]:
    scores = rng.uniform(0.1, 0.5, (len(labels), classes))
    scores[np.arange(len(labels)), labels] += 0.5
    probabilities: Float[np.ndarray, "n K"] = scores / scores.sum(axis=1, keepdims=True)
    return probabilities


def _fan(
    height: int, width: int
) -> tuple[Bool[np.ndarray, "H W"], Float[np.ndarray, "H W"], Float[np.ndarray, "H W"]]:
    """The mask of a fan that opens downwards, depth (1 at its lower rim) and angle (radians)."""
    rows, columns = np.indices((height, width), dtype=np.float64)
    apex, radius = 0.02 * height, 0.94 * height
    depth = np.hypot(rows - apex, columns - (width - 1) / 2) / radius
    angle = np.arctan2(columns - (width - 1) / 2, rows - apex)
    sector = (depth <= 1) & (depth >= 0.08) & (np.abs(angle) <= np.pi / 5)
    return sector, depth, angle
