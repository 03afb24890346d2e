"""Whether a picture shows colour: then its copy is in colour too, else in grey."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, UInt8

SATURATED = 40
"""Difference of the largest and smallest of red, green and blue from which on a pixel is coloured;
JPEG's own errors are smaller."""
SHARE = 5e-4
"""Share of the pixels that stay from which on a picture counts as coloured."""


def is_coloured(frame: UInt8[np.ndarray, "H W 3"], stays: Bool[np.ndarray, "H W"]) -> bool:
    """Tell whether a frame shows colour where its pixels stay."""
    inside = frame[stays]
    spread = inside.max(axis=1) - inside.min(axis=1)
    return bool((spread >= SATURATED).mean() > SHARE)
