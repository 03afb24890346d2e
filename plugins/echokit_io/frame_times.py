"""When each frame of a clip was taken, where the frames are not evenly spaced."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

EVEN = 0.1
"""Largest distance of a frame from even spacing, as a share of the mean distance of two frames, of
a clip that counts as evenly spaced: containers round times to milliseconds."""


def uneven(times: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"] | None:
    """Return the seconds of frames since the first one, if they are not evenly spaced.

    Args:
        times: seconds of each frame since any moment.

    Returns:
        None where they are evenly spaced, do not increase from frame to frame, or are not finite.
    """
    since = np.asarray(times, np.float64) - times[0]
    steps = np.diff(since)
    if len(since) < 3 or not np.isfinite(since).all() or steps.min() <= 0:
        return None
    even = np.linspace(0, since[-1], len(since))
    return since if np.abs(since - even).max() > EVEN * steps.mean() else None
