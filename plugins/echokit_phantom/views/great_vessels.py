"""Short axis at the semilunar valves (PSAX-S).

The origin is the centre of the aortic root. Right atrium to the left, right ventricular outflow
over the top, pulmonary trunk down the right side to its fork, left atrium below.
"""

from __future__ import annotations

import numpy as np

from echokit_phantom.curves import (
    Coordinate,
    Curve,
    Point,
    Shape,
    ellipse,
    normals,
    ribbon,
    smooth,
    track,
)
from echokit_phantom.physiology import Beat, Heart, PerFrame

STRUCTURES = ("aorta", "pulmonary artery", "RV", "RA", "LA", "RV wall")


def semilunar(heart: Heart, beat: Beat, rng: np.random.Generator) -> list[Shape]:
    """Draw PSAX-S; severity shows in the width of the pulmonary trunk, RV and RA."""
    frames = len(beat.phase)
    root = 0.5 * heart.aorta * (1 + 0.05 * beat.outlet)
    trunk = 0.5 * heart.aorta * heart.pa_ao * (1 + 0.04 * beat.outlet)
    outflow = heart.rv_lv * heart.lv * 0.95 * (1 - heart.rv_shortening * beat.squeeze)
    inner = 0.5 * heart.aorta + 1.6
    outer = inner + outflow
    wall = heart.rv_wall
    ra = 6.6 * heart.ra * (heart.aorta / 9.6) * (1 + 0.10 * (beat.atria - 0.5))
    la = 0.5 * heart.aorta * heart.la_ao * (1 + 0.12 * (beat.atria - 0.5))
    lean = rng.normal(0, 0.06)

    def arc(start: float, stop: float, radius: Coordinate) -> Curve:
        angle = np.deg2rad(np.linspace(start, stop, 40)) + lean
        unit = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        points: Curve = np.broadcast_to(radius, frames)[:, None, None] * unit
        return points

    def band(start: float, stop: float, low: Coordinate, high: Coordinate) -> Curve:
        return np.concatenate([arc(start, stop, low), arc(stop, start, high)], axis=1)

    valve = arc(-38, -36, inner + 0.45 * outflow)[:, 0]
    vx, vz = valve[:, 0], valve[:, 1]
    fork_x, fork_z = vx + 1.8, vz + 13.0
    right = smooth(
        track(
            (vx - 0.2 * trunk, vz - trunk), (vx + trunk, vz - 0.1 * trunk),
            (vx + 1.3 + trunk, vz + 6.0), (fork_x + trunk, fork_z - 2.0),
            (fork_x + 4.0 + 0.8 * trunk, fork_z + 3.6), (fork_x + 2.6 + 0.3 * trunk, fork_z + 6.8),
            (fork_x, fork_z + 2.6), (fork_x - 4.5, fork_z + 3.6), (fork_x - 8.0, fork_z + 3.6),
            (fork_x - 8.5, fork_z + 3.4 - 1.0 * trunk), (fork_x - 4.6, fork_z + 2.6 - 1.2 * trunk),
            (fork_x - trunk, fork_z - 3.0), (vx + 0.8 - trunk, vz + 5.0),
            (vx - trunk, vz + 0.6 * trunk),
            frames=frames,
        )
    )  # fmt: skip
    ra_centre = (-inner - 6.0 - 0.35 * ra, 8.0 + 0.25 * ra)
    la_centre = (-1.5, inner + 5.0 + la)
    shapes = [
        Shape("myocardium", band(188, 328, inner - 1.0, outer + wall), "RV wall"),
        Shape("vessel", ellipse(ra_centre, (ra + 1.0, ra * 0.95 + 1.0), frames)),
        Shape("vessel", ellipse(la_centre, (la * 1.45 + 1.0, la + 1.0), frames)),
        Shape("vessel", right - 0.75 * normals(right, closed=True)),
        Shape("blood", ellipse(ra_centre, (ra, ra * 0.95), frames), "RA"),
        Shape("blood", ellipse(la_centre, (la * 1.45, la), frames), "LA"),
        Shape("blood", band(183, 325, inner, outer), "RV"),
        Shape("blood", right, "pulmonary artery"),
        Shape("vessel", ellipse((0, 0), (root + 1.1, root + 1.1), frames)),
        Shape("blood", ellipse((0, 0), (root, root), frames), "aorta"),
        Shape("pericardium", ribbon(arc(205, 318, outer + wall + 0.3), 0.7), labelled=False),
    ]
    shapes += _cusps(beat, root, lean, frames)
    # the tricuspid leaflets hang from the ring between atrium and ventricle
    ring = arc(186, 187, inner)[:, 0], arc(186, 187, outer)[:, 0]
    for end, other in (ring, ring[::-1]):
        tip = end + (0.5 - 0.36 * beat.inlet[:, None]) * (other - end)
        tip = tip + np.stack([0.6 + 0 * tip[:, 0], -1.2 - 3.0 * beat.inlet], axis=-1)
        shapes.append(Shape("leaflet", ribbon(_line(end, tip), 0.7), labelled=False))
    for side in (-1, 1):
        end = valve + side * trunk[:, None] * np.array([0.85, 0.5])
        tip = (
            valve
            + np.array([0.5, 1.0])
            + side * (trunk * (0.08 + 0.70 * beat.outlet))[:, None] * np.array([0.85, 0.5])
            + beat.outlet[:, None] * np.array([0.4, 2.0])
        )
        shapes.append(Shape("leaflet", ribbon(_line(end, tip), 0.55), labelled=False))
    return shapes


def _cusps(beat: Beat, root: PerFrame, lean: float, frames: int) -> list[Shape]:
    """Draw three aortic cusps: a three-pointed star if closed, along the wall if open."""
    shapes = []
    for angle in np.deg2rad([100, 215, 330]) + 2 * lean:
        edge = 0.98 * root
        middle = 0.86 * root * beat.outlet
        start = np.stack([edge * np.cos(angle), edge * np.sin(angle)], axis=-1)
        stop = np.stack([middle * np.cos(angle), middle * np.sin(angle)], axis=-1)
        shapes.append(Shape("leaflet", ribbon(_line(start, stop), 0.6), labelled=False))
    return shapes


def _line(start: Point, stop: Point) -> Curve:
    """Draw a moving line that bulges a little."""
    share = np.linspace(0, 1, 9)[None, :, None]
    reach = (stop - start)[:, None]
    across = reach[..., ::-1] * np.array([-1.0, 1.0])
    line: Curve = start[:, None] + share * reach + 0.12 * np.sin(np.pi * share) * across
    return line
