"""Parasternal long axis (PLAX).

The origin lies where septum and aortic root meet the mitral valve. The apex is to the left, the
right ventricle on top, the aorta to the right and the left atrium below it.
"""

from __future__ import annotations

import numpy as np

from echokit_phantom.curves import Curve, Point, Shape, ellipse, ribbon, smooth, track
from echokit_phantom.physiology import Beat, Heart

STRUCTURES = ("LV", "RV", "septum", "LA", "aorta", "myocardium", "RV wall")


def long_axis(heart: Heart, beat: Beat, rng: np.random.Generator) -> list[Shape]:
    """Draw PLAX; severity shows in the septum's bow, the RV and the ratio of LA to aorta."""
    frames = len(beat.phase)
    lv = heart.lv * (1 - heart.shortening * beat.squeeze)
    wall = heart.wall * (1 + 0.3 * beat.squeeze)
    length = heart.length * (1 - 0.10 * beat.squeeze)
    jitter = rng.normal(0, 0.45)
    in_diastole = 1.6 - 3.6 * (heart.ei_diastole - 1.03) / 0.35
    bow = in_diastole + (heart.plax_bow - in_diastole) * beat.pressure + jitter
    rv = heart.plax_rv * (1 - heart.rv_shortening * beat.squeeze)
    ao = heart.aorta * (1 + 0.04 * beat.outlet)
    la = heart.aorta * heart.la_ao * (1 + 0.16 * (beat.atria - 0.5))
    base = -1.6 * beat.squeeze  # the ring descends towards the apex

    # septum: its left ventricular side, from the root to the apex
    septum_lv = smooth(
        track((base, 0.0), (-0.25 * length, -0.8 * bow - 0.2), (-0.55 * length, 0.4 - 1.2 * bow),
              (-0.82 * length, 2.6 - 0.55 * bow), (-length, 6.2), frames=frames),
        closed=False,
    )  # fmt: skip
    thick = wall[:, None] * np.linspace(0.8, 1.05, septum_lv.shape[1])
    septum_rv = septum_lv - np.stack([0.15 * thick, thick], axis=-1)

    back = lv + 0.4  # posterior wall, from the mitral ring to the apex
    posterior = smooth(
        track((base + 1.2, back * 0.80), (-0.18 * length, back * 0.97),
              (-0.48 * length, back + 0.6), (-0.80 * length, 0.82 * back + 1.4),
              (-length, 0.55 * back + 2.2), frames=frames),
        closed=False,
    )  # fmt: skip
    tip = track((-length - 1.6, 0.30 * back + 4.0), frames=frames)
    outside = posterior + np.stack([0 * wall, wall], axis=-1)[:, None]
    far = track((-length - 1.6 - 1.2 * wall, 0.30 * back + 3.6), frames=frames)
    muscle = np.concatenate([septum_rv, far, outside[:, ::-1]], axis=1)
    septum = np.concatenate([septum_lv, septum_rv[:, ::-1]], axis=1)

    top = -wall * 0.8
    floor = septum_rv[:, 2:30:3]
    roof = smooth(
        track((4.5, top - 0.62 * rv), (-2.0, top - 0.95 * rv), (-0.3 * length, top - rv),
              (-0.65 * length, top - 0.70 * rv + 1.0), (-0.98 * length, 3.6), frames=frames),
        closed=False,
    )  # fmt: skip
    front = track((5.0, top - 0.15 * rv), frames=frames)
    right = np.concatenate([roof, floor[:, ::-1], front], axis=1)
    ceiling = roof - np.array([0.0, heart.rv_wall])
    right_wall = np.concatenate([ceiling, floor[:, ::-1], front + np.array([0.8, -0.5])], axis=1)

    rise = -0.30  # the aorta rises to the right
    reach = 21.0
    front_wall = track((base, -0.6), (6.0 + base, -2.4), (0.6 * reach, rise * 0.6 * reach),
                       (reach, rise * reach), frames=frames)  # fmt: skip
    aorta_top = smooth(front_wall, closed=False)
    bulge = 1 + 0.14 * np.exp(-0.5 * ((np.linspace(0, 1, aorta_top.shape[1]) - 0.25) / 0.14) ** 2)
    across = np.array([0.25, 0.97])
    aorta_low = aorta_top + (ao[:, None] * bulge)[..., None] * across
    aorta = np.concatenate([aorta_top, aorta_low[:, ::-1]], axis=1)

    la_centre = (10.5 + base, ao + 1.6 + 0.5 * la - 1.2)
    atrium = ellipse(la_centre, (9.6 * heart.aorta / 9.6, 0.5 * la), frames, turn=-0.12)
    atrial_wall = ellipse(
        la_centre, (9.6 * heart.aorta / 9.6 + 0.9, 0.5 * la + 0.9), frames, turn=-0.12
    )
    hinge = aorta_low[:, 0]
    ring = posterior[:, 0]
    # the outflow is open: the cavity reaches into the root
    outflow = np.stack([hinge, aorta_top[:, 0]], axis=1) + np.array([0.7, 0.0])
    cavity = np.concatenate([septum_lv, tip, posterior[:, ::-1], outflow], axis=1)

    shapes = [
        Shape("myocardium", right_wall, "RV wall"),
        Shape("blood", right, "RV"),
        Shape("myocardium", muscle, "myocardium"),
        Shape("vessel", atrial_wall),
        Shape("blood", atrium, "LA"),
        Shape("myocardium", septum, "septum"),
        Shape("blood", cavity, "LV"),
        Shape("blood", np.concatenate([hinge[:, None], ring[:, None],
                                       track((base + 5.0, ao + la * 0.75), (base + 5.0, ao + 1.8),
                                             frames=frames)], axis=1), "LA"),
        Shape("blood", aorta, "aorta"),
        Shape("vessel", ribbon(aorta_top, 1.2), labelled=False),
        Shape("vessel", ribbon(aorta_low, 1.2), labelled=False),
        Shape("pericardium", ribbon(outside + np.array([0.0, 0.5]), 1.3), labelled=False),
        Shape("pericardium", ribbon(ceiling, 0.8), labelled=False),
        Shape("vessel", ellipse((11.0, ao + la + 6.5), (4.2, 4.2), frames)),
        Shape("blood", ellipse((11.0, ao + la + 6.5), (3.3, 3.3), frames)),
    ]  # fmt: skip
    return shapes + _valves(beat, hinge, ring, aorta_top, aorta_low)


def _valves(beat: Beat, hinge: Point, ring: Point, top: Curve, low: Curve) -> list[Shape]:
    """Draw mitral leaflets, which meet in systole, and two aortic cusps, which meet in diastole."""
    shapes = []
    meet = 0.45 * hinge + 0.55 * ring + np.array([-2.4, 0.3])
    for start, wide in ((hinge, np.array([-9.2, 1.6])), (ring, np.array([-5.0, -0.4]))):
        opened = start + wide
        tip = meet + beat.inlet[:, None] * (opened - meet)
        middle = 0.5 * (start + tip) + (1 - beat.inlet[:, None]) * np.array([0.9, 0.0])
        line = smooth(np.stack([start, middle, tip], axis=1), closed=False)
        shapes.append(Shape("leaflet", ribbon(line, 0.75), labelled=False))
    for wall, other in ((top[:, 2], low[:, 2]), (low[:, 2], top[:, 2])):
        tip = wall + (0.5 - 0.40 * beat.outlet[:, None]) * (other - wall) + np.array([3.2, -0.9])
        line = smooth(np.stack([wall, 0.5 * (wall + tip), tip], axis=1), closed=False)
        shapes.append(Shape("leaflet", ribbon(line, 0.6), labelled=False))
    return shapes
