"""The five standard views: the anatomy of each, and its position in front of the probe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from echokit_phantom.curves import Shape
from echokit_phantom.physiology import Beat, Heart
from echokit_phantom.views import four_chamber, great_vessels, long_axis, short_axis


@dataclass(frozen=True, slots=True)
class Plane:
    """One standard view."""

    draw: Callable[[Heart, Beat, np.random.Generator], list[Shape]]
    """Draws the anatomy around the view's own origin, painted first to last."""
    structures: tuple[str, ...]
    """Names in the label map; label n is the n-th name."""
    origin: tuple[float, float]
    """Position of the view's origin: mm to the right of the probe, mm deep."""
    depth: float
    """Usual depth of the image in mm."""


PLANES = {
    "PLAX": Plane(long_axis.long_axis, long_axis.STRUCTURES, (4.0, 22.5), 52.0),
    "A4C": Plane(four_chamber.four_chamber, four_chamber.STRUCTURES, (1.0, 38.0), 60.0),
    "PSAX-P": Plane(short_axis.papillary, short_axis.STRUCTURES, (4.5, 27.5), 46.0),
    "PSAX-S": Plane(great_vessels.semilunar, great_vessels.STRUCTURES, (-1.0, 25.0), 54.0),
    "PSAX-A": Plane(short_axis.apical, short_axis.STRUCTURES, (3.0, 22.5), 40.0),
}
"""The views by canonical name."""
