"""Moving outlines: smooth curves through control points, one curve for each frame, in mm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

Curve = Float[np.ndarray, "T n 2"]
"""Points (x to the right, z downwards, away from the probe) of one curve in every frame, mm."""
OtherCurve = Float[np.ndarray, "T m 2"]
"""The same for a second curve, whose number of points is its own."""

Point = Float[np.ndarray, "T 2"]
"""One moving point, mm."""
Coordinate = Float[np.ndarray, " T"] | float
"""One coordinate of a point: a value for each frame, or one for all."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One filled, moving piece of anatomy; later shapes of a view are painted over earlier ones."""

    material: str
    """Key of `tissue.MATERIALS`."""
    outline: Curve
    """Closed outline in every frame."""
    structure: str | None = None
    """Name in the ground-truth label map; None is background."""
    labelled: bool = True
    """False for a shape that is left out of the label map, such as a thin valve leaflet."""


@cache
def _catmull_rom(
    controls: int, per_span: int, closed: bool
) -> Float[np.ndarray, "points controls"]:
    """Make the matrix from control points to points of the Catmull-Rom spline through them."""
    spans = controls if closed else controls - 1
    matrix = np.zeros((spans * per_span, controls))
    u = np.arange(per_span) / (per_span if closed else max(per_span - 1, 1))
    weights = 0.5 * np.stack(
        [-u + 2 * u**2 - u**3, 2 - 5 * u**2 + 3 * u**3, u + 4 * u**2 - 3 * u**3, u**3 - u**2],
        axis=1,
    )
    for span in range(spans):
        rows = slice(span * per_span, (span + 1) * per_span)
        for k in range(4):
            control = span + k - 1
            control = control % controls if closed else min(max(control, 0), controls - 1)
            matrix[rows, control] += weights[:, k]
    return matrix


def track(*points: tuple[Coordinate, Coordinate], frames: int) -> Curve:
    """Stack control points `(x, z)`, each a number or a value per frame, to `(T, K, 2)`."""
    columns = [
        np.stack(np.broadcast_arrays(x, z, np.zeros(frames))[:2], axis=-1) for x, z in points
    ]
    return np.stack(columns, axis=1)


def smooth(controls: Curve, *, closed: bool = True, per_span: int = 8) -> OtherCurve:
    """Draw a smooth curve through control points, with `per_span` points from each to the next."""
    curve: OtherCurve = _catmull_rom(controls.shape[1], per_span, closed) @ controls
    return curve


def dense(outline: Curve, longest: float = 2.0) -> OtherCurve:
    """Add points to a closed outline, so that no edge is much longer than `longest` mm.

    An edge that is straight in millimetres is curved in beam coordinates, where outlines are
    filled as polygons.
    """
    following = np.roll(outline, -1, axis=1)
    lengths = np.linalg.norm(following - outline, axis=-1).max(axis=0)
    pieces = np.clip(np.ceil(lengths / longest), 1, 40).astype(int)
    edge = np.repeat(np.arange(len(pieces)), pieces)
    share = np.concatenate([np.arange(n) / n for n in pieces])[:, None]
    filled: OtherCurve = outline[:, edge] + share * (following - outline)[:, edge]
    return filled


def normals(line: Curve, *, closed: bool = False) -> Curve:
    """Compute unit normals, which point to the right of a line that is drawn upwards."""
    ends = np.concatenate([line[:, -1:], line, line[:, :1]], axis=1) if closed else line
    along = np.gradient(ends, axis=1)
    along = along[:, 1:-1] if closed else along
    normal = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    unit: Curve = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    return unit


def ribbon(line: Curve, width: float) -> OtherCurve:
    """Make the outline of a line of the given width in mm, which tapers to its ends."""
    n = line.shape[1]
    taper = np.minimum(1.0, 0.45 + 2.2 * np.minimum(np.arange(n), n - 1 - np.arange(n)) / n)
    offset = 0.5 * width * taper[:, None] * normals(line)
    return np.concatenate([line + offset, (line - offset)[:, ::-1]], axis=1)


def ellipse(
    centre: tuple[Coordinate, Coordinate],
    radii: tuple[Coordinate, Coordinate],
    frames: int,
    *,
    turn: float = 0.0,
    points: int = 40,
) -> Curve:
    """Make an ellipse around a moving centre; radii in mm, `turn` in radians towards z."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    a, b = (np.broadcast_to(r, frames)[:, None] for r in radii)
    x, z = a * np.cos(angle), b * np.sin(angle)
    cx, cz = (np.broadcast_to(c, frames)[:, None] for c in centre)
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack([cx + cos * x - sin * z, cz + sin * x + cos * z], axis=-1)
