"""Apical four chamber (A4C).

The origin is the crux, where septa and valve rings meet. The apex points up, to the probe; the
right ventricle is on the left of the image; the atria lie below.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from echokit_phantom.curves import (
    Curve,
    OtherCurve,
    Point,
    Shape,
    normals,
    ribbon,
    smooth,
    track,
)
from echokit_phantom.physiology import Beat, Heart, PerFrame

STRUCTURES = ("LV", "RV", "septum", "LA", "RA", "myocardium", "RV wall")


def four_chamber(heart: Heart, beat: Beat, rng: np.random.Generator) -> list[Shape]:
    """Draw A4C; severity shows in right heart size and the septum's bow, and mild PH hardly."""
    frames = len(beat.phase)
    zero = np.zeros(frames)
    descent = 2.6 * beat.squeeze  # the valve rings move towards the apex
    tapse = 3.6 * beat.squeeze * heart.rv_shortening / 0.27
    lv = 0.90 * heart.lv * (1 - 0.85 * heart.shortening * beat.squeeze)
    rv = 0.86 * heart.lv * heart.rv_lv_apical * (1 - heart.rv_shortening * beat.squeeze)
    wall = heart.wall * (1 + 0.3 * beat.squeeze)
    half = 0.5 * wall
    long = 1.05 * heart.length
    # only a heart whose septum is D-shaped in diastole shows it from the apex
    deformed = np.clip((heart.ei_diastole - 1.08) / 0.30, -0.1, 1.2)
    bow = rng.normal(0, 0.35) - 0.5 + 2.4 * deformed * (0.45 + 0.55 * beat.pressure)

    # septum: middle line from crux to apex; a positive bow leans into the left ventricle
    middle = smooth(
        track((zero, -descent), (0.9 * bow, -0.33 * long - 0.5 * descent),
              (1.1 * bow, -0.66 * long), (0.6 * bow + 0.6, -0.93 * long), frames=frames),
        closed=False,
    )  # fmt: skip
    thick = half[:, None] * np.linspace(0.75, 1.0, middle.shape[1])
    across = np.stack([thick, 0 * thick], axis=-1)
    septum_lv, septum_rv = middle + across, middle - across

    lateral = smooth(
        track((half + lv * 0.92, -descent), (half + lv * 1.03, -0.35 * long),
              (half + lv * 0.86, -0.68 * long), (half + lv * 0.42, -0.93 * long),
              (0.10 * lv + 0.6, -1.0 * long), frames=frames),
        closed=False,
    )  # fmt: skip
    left = np.concatenate([septum_lv, lateral[:, ::-1]], axis=1)
    outer = (
        lateral
        + normals(lateral)
        * np.linspace(0.85, 1.05, lateral.shape[1])[None, :, None]
        * wall[:, None, None]
    )

    tip = 0.80 + 0.13 * np.clip(deformed, 0, 1)  # a dilated right ventricle comes to form the apex
    free = smooth(
        track((-half - rv * 0.95, 0.8 - tapse), (-half - rv * 1.02, -0.30 * long),
              (-half - rv * 0.76, -0.58 * long), (-half - rv * 0.30, -(tip - 0.06) * long),
              (-half - 0.02 * rv, -tip * long), frames=frames),
        closed=False,
    )  # fmt: skip
    last = round(septum_rv.shape[1] * float(tip) / 0.95)
    right = np.concatenate([septum_rv[:, :last], free[:, ::-1]], axis=1)
    rim = free - normals(free) * heart.rv_wall

    body = np.concatenate([outer, track((0.0, -long - 2.0), frames=frames), rim[:, ::-1]], axis=1)
    scale = heart.aorta / 9.6
    la = 0.5 * 12.8 * (heart.la_ao / 1.2) ** 0.4 * scale * (1 + 0.16 * (beat.atria - 0.5))
    ra = 0.5 * 13.4 * heart.ra * scale * (1 + 0.14 * (beat.atria - 0.5))
    septal = rng.normal(0, 0.3)
    la_floor, ra_floor = 12.5 * scale + 0.3 * la, 11.5 * scale + 0.45 * ra
    left_atrium = _atrium(1, la, -descent + 0.6, la_floor, septal, frames)
    right_atrium = _atrium(-1, ra, 1.4 - tapse, ra_floor, septal, frames)

    shapes = [
        Shape("vessel", _enlarged(left_atrium, 1.1)),
        Shape("vessel", _enlarged(right_atrium, 1.1)),
        Shape("blood", left_atrium, "LA"),
        Shape("blood", right_atrium, "RA"),
        Shape("myocardium", body, "myocardium"),
        Shape("myocardium", np.concatenate([free, rim[:, ::-1]], axis=1), "RV wall"),
        Shape("blood", right, "RV"),
        Shape("blood", left, "LV"),
        Shape("myocardium", np.concatenate([septum_lv, septum_rv[:, ::-1]], axis=1), "septum"),
        Shape("blood", _opening(septum_lv, lateral), "LA"),
        Shape("blood", _opening(septum_rv, free), "RA"),
        Shape("pericardium", ribbon(outer + np.array([0.5, 0.0]), 1.0), labelled=False),
        Shape("pericardium", ribbon(rim - np.array([0.3, 0.0]), 0.7), labelled=False),
    ]
    band = smooth(
        np.stack([septum_rv[:, 17], 0.5 * (septum_rv[:, 17] + free[:, 20]) + np.array([0, 0.6]),
                  free[:, 20]], axis=1), closed=False,
    )  # fmt: skip
    shapes.append(Shape("papillary", ribbon(band, 1.7), labelled=False))
    mitral = (septum_lv[:, 0], lateral[:, 0], (0.40, 0.36))
    tricuspid = (septum_rv[:, 2], free[:, 0], (0.36, 0.42))  # hinged nearer the apex
    for septal_ring, lateral_ring, (a, b) in (mitral, tricuspid):
        shapes += _leaflets(beat, septal_ring, lateral_ring, a, b)
    return shapes


def _leaflets(beat: Beat, septal: Point, lateral: Point, a: float, b: float) -> list[Shape]:
    """Draw two leaflets of an inlet valve: tented into the ventricle if closed, upright if open."""
    meet = septal + 0.5 * (lateral - septal) + np.array([0.0, -1.6])
    width = np.abs(lateral - septal)[:, :1]
    side = np.sign(lateral - septal)[:, :1]
    shapes = []
    for hinge, inward, reach in ((septal, side, a), (lateral, -side, b)):
        opened = hinge + np.concatenate([inward * 0.14 * width, -1.25 * reach * width], axis=1)
        tip = meet + beat.inlet[:, None] * (opened - meet)
        middle = 0.5 * (hinge + tip) + np.array([0.0, 0.5])
        line = smooth(np.stack([hinge, middle, tip], axis=1), closed=False)
        shapes.append(Shape("leaflet", ribbon(line, 0.8), labelled=False))
    return shapes


def _atrium(
    side: int, radius: PerFrame, top: PerFrame, floor: PerFrame, septal: float, frames: int
) -> Curve:
    """Draw an atrium from its valve ring at `top` to its roof at `floor`, at the atrial septum."""
    near, wide = 0.55 * side + septal, side * 2 * radius
    return smooth(
        track((near, top - 0.5), (near + 0.2 * wide, top - 1.2), (near + 0.75 * wide, top - 1.0),
              (near + 1.0 * wide, top + 0.25 * floor), (near + 1.06 * wide, 0.55 * floor),
              (near + 0.82 * wide, 0.92 * floor), (near + 0.45 * wide, floor),
              (near + 0.10 * wide, 0.88 * floor), (near - 0.02 * wide, 0.45 * floor), frames=frames)
    )  # fmt: skip


def _opening(septal: Curve, lateral: OtherCurve) -> Float[np.ndarray, "T 4 2"]:
    """Draw the opening of a valve's ring, from the ventricle's base to the atrium below it."""
    near, far = septal[:, :1], lateral[:, :1]
    inset = 0.06 * (far - near)
    below, above = np.array([0.0, 2.6]), np.array([0.0, -1.0])
    return np.concatenate(
        [
            near + inset + above,
            far - inset + above,
            far - 2 * inset + below,
            near + 2 * inset + below,
        ],
        axis=1,
    )


def _enlarged(outline: Curve, distance: float) -> Curve:
    """Move an outline away from its centre by about `distance` mm."""
    centre = outline.mean(axis=1, keepdims=True)
    from_centre = outline - centre
    unit = from_centre / np.linalg.norm(from_centre, axis=-1, keepdims=True)
    enlarged: Curve = outline + distance * unit
    return enlarged
