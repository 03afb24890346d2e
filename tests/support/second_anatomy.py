"""Hearts of the second renderer: implicit functions on a grid of pixels, one frame at a time.

It shares neither code nor construction with the plugin `phantom`, so that a network that learned
there can be tried on pictures it has not seen. Severity shows by published figures:

    Abraham & Weismann, Echocardiography 2016 (doi 10.1111/echo.13171): end-systolic eccentricity
    from 1.15 is visible flattening, from 1.3 half-systemic pressure.
    Burkett et al. 2020 (PMC7236425): maximal index 1.42 half-systemic, 1.94 systemic.
    Ryan et al., JACC 1985 (doi 10.1016/S0735-1097(85)80433-2): in diastole only as it grows.
    Schweintzger et al. 2022 (doi 10.3389/fcvm.2022.950765): RV:LV diameter ratio of newborns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

Plane = Float[np.ndarray, "H W"]
"""One value at each pixel."""

BLOOD, MUSCLE, PAPILLARY, LEAFLET, BRIGHT = 1, 2, 3, 4, 5
"""Tissues; 0 is what lies around the heart."""

GRADES = {  # eccentricity at end systole and diastole, RV:LV, RV wall in mm: mean, spread
    0: ((1.05, 0.03), (1.02, 0.02), (0.42, 0.04), (1.9, 0.2)),
    1: ((1.27, 0.04), (1.04, 0.02), (0.47, 0.04), (2.3, 0.25)),
    2: ((1.52, 0.06), (1.16, 0.04), (0.53, 0.05), (2.7, 0.3)),
    3: ((1.80, 0.08), (1.33, 0.06), (0.60, 0.05), (3.2, 0.3)),
}
"""The hearts of each grade: none, mild, moderate (half-systemic), severe (near systemic)."""

NAMES = {
    "PSAX-P": ("LV", "RV", "septum", "myocardium", "RV wall"),
    "PLAX": ("LV", "RV", "septum", "LA", "aorta", "myocardium", "RV wall"),
    "A4C": ("LV", "RV", "septum", "LA", "RA", "myocardium", "RV wall"),
}
"""Structures of each view's label map."""


@dataclass(frozen=True, slots=True)
class Heart:
    """One heart; lengths in mm."""

    systole: float
    diastole: float
    rv_lv: float
    rv_wall: float
    radius: float
    wall: float
    shortening: float
    power: float
    """Exponent of the superellipses; 2 is an ellipse."""
    angles: tuple[float, float]
    """Directions of the papillary muscles from the middle of the free wall, radians."""


def draw_heart(grade: int, rng: np.random.Generator) -> Heart:
    """Draw a heart of a grade."""
    systole, diastole, rv_lv, rv_wall = (rng.normal(*row) for row in GRADES[grade])
    return Heart(
        systole=max(systole, 1.0),
        diastole=max(diastole, 1.0),
        rv_lv=rv_lv,
        rv_wall=rv_wall,
        radius=rng.normal(9.2, 0.7),
        wall=rng.normal(3.2, 0.25),
        shortening=rng.normal(0.33, 0.03),
        power=rng.uniform(1.9, 2.4),
        angles=(rng.uniform(0.8, 1.25), -rng.uniform(0.8, 1.25)),
    )


def squeeze(phase: float) -> float:
    """Contraction of the ventricles: up to phase 0.4 as a sine, then relaxing in two steps."""
    if phase < 0.42:
        return float(np.sin(0.5 * np.pi * phase / 0.42) ** 2)
    fast = np.exp(-(((phase - 0.42) / 0.14) ** 2))
    return float(0.75 * fast + 0.25 * np.clip((0.95 - phase) / 0.53, 0, 1))


def strain(phase: float) -> float:
    """Weight of the systolic over the diastolic shape of the septum."""
    return float(np.clip(np.sin(np.pi * np.clip((phase + 0.02) / 0.62, 0, 1)) * 1.3, 0, 1))


def opening(phase: float) -> float:
    """Opening of the inlet valves: early filling, then the atrial kick."""
    early = np.exp(-0.5 * ((phase - 0.56) / 0.055) ** 2)
    kick = np.exp(-0.5 * ((phase - 0.87) / 0.04) ** 2)
    return float(min(1.0, early + 0.75 * kick + (0.25 if 0.5 < phase < 0.9 else 0)))


def _arch(place: Plane, half: float, power: float) -> Plane:
    """Height of a superellipse of unit height over its axis, 0 beyond its ends."""
    return np.clip(1 - np.abs(place / half) ** power, 0, None) ** (1 / power)


def _blob(x: Plane, z: Plane, centre: tuple[float, float], radii: tuple[float, float]) -> Plane:
    """Superellipse of exponent 1.7 about a centre: true inside."""
    return np.abs((x - centre[0]) / radii[0]) ** 1.7 + np.abs((z - centre[1]) / radii[1]) ** 1.7 < 1


def short_axis(
    heart: Heart, phase: float, u: Plane, v: Plane
) -> tuple[UInt8[np.ndarray, "H W"], UInt8[np.ndarray, "H W"]]:
    """Tissue and labels of PSAX-P: `u` from septum to free wall, `v` along the septum."""
    tension = squeeze(phase)
    index = heart.diastole + (heart.systole - heart.diastole) * strain(phase)
    radius = heart.radius * (1 - heart.shortening * tension)
    wall = heart.wall * (1 + 0.35 * tension)
    along = radius * np.sqrt(index)  # keeps the area
    free = 0.97 * along
    septal = 2 * along / index - free  # below 0 the septum bows into the left ventricle
    arch = _arch(v, along, heart.power)
    cavity = (np.abs(v) < along) & (u > -septal * arch) & (u < free * arch)
    around = _arch(v, along + wall, heart.power)
    muscle = (np.abs(v) < along + wall) & (u > -(septal + wall) * around)
    muscle &= u < (free + wall) * around

    room = heart.rv_lv * 2 * heart.radius * (1 - 0.24 * tension)
    left = -(heart.radius + heart.wall + room)
    middle = -0.3 * heart.radius
    tall = (heart.radius + heart.wall) * (1.02 - 0.08 * tension)

    def envelope(more: float) -> Plane:
        return (
            np.abs((u - middle) / (middle - left + more)) ** 2.5 + np.abs(v / (tall + more)) ** 2.5
            < 1
        )

    side = u < 0.15 * heart.radius
    right, shell = envelope(0.0) & side, envelope(heart.rv_wall) & side
    tissue, labels = np.zeros(u.shape, np.uint8), np.zeros(u.shape, np.uint8)
    for mask, kind, label in (
        (envelope(heart.rv_wall + 0.7) & (u < -0.3 * heart.radius), BRIGHT, 0),
        (shell, MUSCLE, 5), (right, BLOOD, 2),
    ):  # fmt: skip
        tissue[mask], labels[mask] = kind, label
    # trabeculae and moderator band lie across the right ventricle's outer part
    band = right & (np.abs(v - 0.3 * heart.radius + 0.25 * u) < 0.5) & (u < left + 0.55 * room)
    tissue[band] = PAPILLARY
    rim = (np.abs(v) < along + wall + 1.0) & (u > 0.25 * radius)
    rim &= u < (free + wall + 1.0) * _arch(v, along + wall + 1.0, heart.power)
    tissue[rim] = BRIGHT
    labels[rim] = 0
    tissue[muscle], labels[muscle] = MUSCLE, 4
    septum = muscle & (u < 0) & (np.abs(v) < 0.9 * along)
    labels[septum] = 3
    tissue[cavity], labels[cavity] = BLOOD, 1
    for angle in heart.angles:
        reach = 0.74 * min(along, free)
        centre = reach * np.cos(angle) + 0.5, 1.05 * reach * np.sin(angle)
        head = _blob(u, v, centre, (0.24 * radius + 0.5, 0.17 * radius + 0.4)) & cavity
        tissue[head], labels[head] = PAPILLARY, 4
    return tissue, labels


def long_axis(
    heart: Heart, phase: float, x: Plane, z: Plane
) -> tuple[UInt8[np.ndarray, "H W"], UInt8[np.ndarray, "H W"]]:
    """Tissue and labels of PLAX: apex to the left, aorta to the right, from the valve's plane."""
    tension, index = squeeze(phase), heart.systole * strain(phase) + 1 - strain(phase)
    radius = heart.radius * (1 - heart.shortening * tension)
    wall = heart.wall * (1 + 0.3 * tension)
    length = 30.0 * heart.radius / 9.2
    # an axis that is squeezed bows towards the right ventricle if healthy, else to the left one
    hump = np.exp(-(((x + 0.5 * length) / (0.30 * length)) ** 2))
    bow = 2.2 - 6.2 * np.clip(index - 1.05, 0, 1)
    septum = -bow * hump
    apex = _arch(np.minimum(x + 0.42 * length, 0), 0.66 * length, 2.6)
    floor = 2 * radius * apex
    top = septum + radius * (1 - apex)
    inside = (x < 1.0) & (x > -1.05 * length)
    room = (9.0 + 55 * (heart.rv_lv - 0.42)) * heart.radius / 9.2 * (1 - 0.22 * tension)
    roof = septum * 0.3 - wall - room * _arch(x + 0.2 * length, 0.95 * length, 2.4)
    tissue, labels = np.zeros(x.shape, np.uint8), np.zeros(x.shape, np.uint8)
    root = 0.52 * heart.radius
    slope = -0.28 * x
    great = (x > -0.5) & (np.abs(z - slope - root) < root)
    vessel = (x > -0.5) & (np.abs(z - slope - root) < root + 0.9)
    grown = 1 + 0.12 * (tension - 0.5) - 0.35 * np.clip(heart.rv_lv - 0.42, 0, 0.3)
    atrium = (11.0, 2 * root + 5.4 * grown)
    walls = _blob(x, z, atrium, (11.0, 7.0 * grown)), _blob(x, z, atrium, (10.2, 6.2 * grown))
    right = (z > roof) & (z < septum - wall) & (x < 6) & (x > -1.1 * length)
    shell = (z > roof - heart.rv_wall) & (z < septum) & (x < 6) & (x > -1.1 * length)
    open_ = opening(phase)
    for mask, kind, label in (
        (inside & (z > 0) & (z < floor + wall + 1.1), BRIGHT, 0),
        (shell, MUSCLE, 7), (right, BLOOD, 2),
        (inside & (z > septum - wall) & (z < floor + wall), MUSCLE, 6),
        (inside & (z > septum - wall) & (z < septum), MUSCLE, 3),
        (walls[0], MUSCLE, 0), (walls[1], BLOOD, 4),
        (inside & (z > top) & (z < floor), BLOOD, 1),
        (vessel, MUSCLE, 0), (great, BLOOD, 5),
    ):  # fmt: skip
        tissue[mask], labels[mask] = kind, label
    hinges = ((0.6, 2 * root), (0.6, 2 * radius - 0.8))
    meet = (-3.4, 0.5 * (hinges[0][1] + hinges[1][1]))
    for hinge, opened in zip(hinges, ((-9.0, 2.2), (-4.5, 2 * radius - 1.2)), strict=True):
        tip = tuple(m + open_ * (o - m) for m, o in zip(meet, opened, strict=True))
        tissue[_segment(x, z, hinge, tip, 0.45)] = LEAFLET
    return tissue, labels


def four_chambers(
    heart: Heart, phase: float, x: Plane, z: Plane
) -> tuple[UInt8[np.ndarray, "H W"], UInt8[np.ndarray, "H W"]]:
    """Tissue and labels of A4C: the apex is up, the right heart on the left, from the crux."""
    tension = squeeze(phase)
    ring = -2.6 * tension
    length = 30.0 * heart.radius / 9.2
    height = np.clip(-(z - ring) / length, 0, 1.2)
    taper = np.sqrt(np.clip(1 - height**2.6, 0, None))
    wall = heart.wall * (1 + 0.3 * tension)
    bow = 7.0 * np.clip(heart.diastole - 1.08, 0, 0.4) * (0.5 + 0.5 * strain(phase))
    middle = bow * np.sin(np.pi * np.clip(height, 0, 1))
    left = 1.8 * heart.radius * (1 - 0.85 * heart.shortening * tension) * taper
    ratio = 0.86 + 2.0 * (heart.rv_lv - 0.42)
    right = 1.6 * heart.radius * ratio * (1 - 0.24 * tension) * np.sqrt(
        np.clip(1 - (height / 0.88) ** 2.2, 0, None)
    )  # fmt: skip
    above = (z < ring) & (height < 1)
    half = 0.45 * wall
    tissue, labels = np.zeros(x.shape, np.uint8), np.zeros(x.shape, np.uint8)
    ra, la = 6.4 * (0.9 + ratio / 8.6), 6.2
    grown = 1 + 0.12 * (tension - 0.5)
    for mask, kind, label in (
        (_blob(x, z, (la + 0.6, 5.4), (la + 1, 7.2)), MUSCLE, 0),
        (_blob(x, z, (-ra - 0.6, 5.4), (ra + 1, 7.2)), MUSCLE, 0),
        (_blob(x, z, (la + 0.6, 5.2), (la * grown, 6.4 * grown)), BLOOD, 4),
        (_blob(x, z, (-ra - 0.6, 5.2), (ra * grown, 6.4 * grown)), BLOOD, 5),
        (above & (x - middle < left + 2 * wall) & (x - middle > 0), BRIGHT, 0),
        (above & (x - middle < left + 1.4 * wall) & (x - middle > -half), MUSCLE, 6),
        (above & (x - middle < 0) & (x - middle > -right - half - heart.rv_wall), MUSCLE, 7),
        (above & (x - middle < -half) & (x - middle > -right - half), BLOOD, 2),
        (above & (x - middle < left) & (x - middle > half), BLOOD, 1),
        (above & (np.abs(x - middle) < half), MUSCLE, 3),
    ):  # fmt: skip
        tissue[mask], labels[mask] = kind, label
    open_ = opening(phase)
    for side, wide in ((1, 1.8 * heart.radius), (-1, 1.6 * heart.radius * ratio)):
        near, far = side * half, side * (half + 0.92 * wide)
        meet = (0.5 * (near + far), ring - 1.4)
        for hinge, inward in ((near, side), (far, -side)):
            opened = (hinge + inward * 0.16 * wide, ring - 6.0)
            tip = tuple(m + open_ * (o - m) for m, o in zip(meet, opened, strict=True))
            tissue[_segment(x, z, (hinge, ring), tip, 0.45)] = LEAFLET
    return tissue, labels


def _segment(
    x: Plane, z: Plane, start: tuple[float, ...], stop: tuple[float, ...], half: float
) -> Plane:
    """Points nearer than `half` mm to a line from `start` to `stop`: true there."""
    dx, dz = stop[0] - start[0], stop[1] - start[1]
    share = ((x - start[0]) * dx + (z - start[1]) * dz) / max(dx * dx + dz * dz, 1e-6)
    share = np.clip(share, 0, 1)
    return np.hypot(x - start[0] - share * dx, z - start[1] - share * dz) < half
