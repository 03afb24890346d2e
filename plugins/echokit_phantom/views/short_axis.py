"""Short axis of the ventricles: at the papillary muscles (PSAX-P) and near the apex (PSAX-A).

The origin is the centre of the left ventricle. The right ventricle lies as a crescent to the upper
left. A point of a wall has an angle from the middle of the septum and a distance from the centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from echokit_phantom.curves import Curve, Shape, ellipse, ribbon
from echokit_phantom.physiology import Beat, Heart, PerFrame

STRUCTURES = ("LV", "RV", "septum", "myocardium", "RV wall")

SEPTUM_SPAN = np.deg2rad(66)
"""Half the angle of the septum on the left ventricle's circumference."""
_TO_SEPTUM = np.deg2rad(-127)
"""Direction of the middle of the septum in the image: up and to the left."""


@dataclass(frozen=True, slots=True)
class Level:
    """How a level of the short axis differs from the papillary one."""

    cavity: float = 1.0
    """Diameter of the cavity, relative."""
    wall: float = 1.0
    """Thickness of the wall, relative."""
    flattening: float = 1.0
    """Share of the heart's eccentricity that this level shows."""
    crescent: float = 1.0
    """Width of the right ventricle, relative."""
    span: float = 1.0
    """Angle of the right ventricle, relative."""
    papillary: bool = True
    """True where the papillary muscles are cut."""


def papillary(heart: Heart, beat: Beat, rng: np.random.Generator) -> list[Shape]:
    """Draw PSAX-P: round left ventricle with two papillary muscles, crescent right ventricle."""
    return _draw(heart, beat, rng, Level())


def apical(heart: Heart, beat: Beat, rng: np.random.Generator) -> list[Shape]:
    """Draw PSAX-A: small thick-walled left ventricle, only the tip of the right ventricle."""
    level = Level(cavity=0.72, wall=1.15, flattening=0.68, crescent=0.62, span=0.8, papillary=False)
    return _draw(heart, beat, rng, level)


def flattening(eccentricity: PerFrame) -> PerFrame:
    """Compute the septal displacement of an eccentricity index.

    Args:
        eccentricity: diameter along the septum over diameter across it, 1 for a circle.

    Returns:
        0 if the septum is part of the circle, 1 if it is the straight chord, more if it bows into
        the left ventricle.
    """
    displaced: PerFrame = (2 - 2 / eccentricity) / (1 - np.cos(SEPTUM_SPAN))
    return displaced


def _draw(heart: Heart, beat: Beat, rng: np.random.Generator, level: Level) -> list[Shape]:
    frames = len(beat.phase)
    radius = 0.5 * heart.lv * level.cavity * (1 - heart.shortening * beat.squeeze)
    wall = heart.wall * level.wall * (1 + 0.34 * beat.squeeze)
    index = heart.ei_diastole + (heart.ei_systole - heart.ei_diastole) * beat.pressure
    flat = flattening(1 + level.flattening * (index - 1))
    turn = _TO_SEPTUM + rng.normal(0, np.deg2rad(4))
    uneven = 0.025 * rng.standard_normal((2, 3))

    def around(angle: Float[np.ndarray, " n"], outset: PerFrame, flatten: PerFrame) -> Curve:
        """Compute points at `angle` on the left ventricle, `outset` mm outside its cavity."""
        bumps = 1 + sum(uneven[0, k - 2] * np.cos(k * angle) for k in (2, 3, 4))
        distance = radius[:, None] * bumps
        over = np.cos(angle) - np.cos(SEPTUM_SPAN)
        pushed = 0.5 * (over + np.sqrt(over**2 + 0.03))
        keep_area = 1 + 0.10 * flatten[:, None]
        across = (np.cos(angle) - flatten[:, None] * pushed) * keep_area
        along = np.sin(angle) * keep_area
        outwards = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        points: Curve = distance[..., None] * np.stack([across, along], axis=-1)
        points += outset[:, None, None] * outwards
        return points

    def placed(points: Curve) -> Curve:
        cos, sin = np.cos(turn), np.sin(turn)
        turned: Curve = points @ np.array([[cos, sin], [-sin, cos]])
        return turned

    circle = np.linspace(-np.pi, np.pi, 72, endpoint=False)
    none = np.zeros(frames)
    inside = around(circle, none, flat)
    outside = around(circle, wall, flat)
    arc = np.linspace(-SEPTUM_SPAN, SEPTUM_SPAN, 33)
    septum = np.concatenate([around(arc, none, flat), around(arc, wall, flat)[:, ::-1]], axis=1)

    span = np.deg2rad(78) * level.span * (1 + 0.2 * (heart.rv_lv - 0.43))
    across = np.linspace(-span, span, 41)
    width = heart.rv_lv * heart.lv * level.crescent * (1 - heart.rv_shortening * beat.squeeze)
    profile = (1 - (across / span) ** 2) ** 0.62
    grown = none[:, None] + 0.5 * heart.lv * level.cavity * (1 - 0.35 * heart.shortening)
    direction = np.stack([np.cos(across), np.sin(across)], axis=-1)
    reach = grown + wall[:, None] + width[:, None] * profile
    free_wall = reach[..., None] * direction
    rv_outer = (reach + heart.rv_wall * (1 + 0.15 * beat.squeeze[:, None]))[..., None] * direction
    middle = np.zeros((frames, 1, 2))

    shapes = [
        Shape("myocardium", placed(np.concatenate([rv_outer, middle], axis=1)), "RV wall"),
        Shape("blood", placed(np.concatenate([free_wall, middle], axis=1)), "RV"),
        Shape("pericardium", placed(ribbon(rv_outer[:, 4:-4], 0.7)), labelled=False),
        Shape("myocardium", placed(outside), "myocardium"),
        Shape("myocardium", placed(septum), "septum"),
        Shape("blood", placed(inside), "LV"),
    ]
    if level.papillary:
        for side in (-1, 1):
            angle = np.array([side * np.deg2rad(122 + rng.normal(0, 5))])
            centre = around(angle, -0.30 * radius, flat)[:, 0]
            size = 0.17 * heart.lv * (1 - 0.12 * beat.squeeze)
            body = ellipse((centre[:, 0], centre[:, 1]), (size * 0.62, size * 0.5), frames)
            shapes.append(Shape("papillary", placed(body), "myocardium"))
    behind = np.linspace(np.deg2rad(100), np.deg2rad(262), 30)
    shapes.append(
        Shape("pericardium", placed(ribbon(around(behind, wall + 0.5, flat), 1.0)), labelled=False)
    )
    return shapes
