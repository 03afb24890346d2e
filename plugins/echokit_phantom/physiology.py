"""The cardiac cycle, and the effects of pulmonary hypertension on a newborn heart.

Sources of the table of effects, by the key that each row names:

    EI    Abraham & Weismann, Echocardiography 2016 (doi 10.1111/echo.13171): systolic flattening is
          seen from an end-systolic eccentricity index of 1.15, half-systemic pressure from 1.3;
          Burkett et al. 2020 (PMC7236425): maximal index 1.42 half-systemic, 1.94 systemic.
    ED    Ryan et al., JACC 1985 (doi 10.1016/S0735-1097(85)80433-2): pressure overload deforms the
          septum in systole, and into diastole as it grows.
    RVLV  Schweintzger et al. 2022 (doi 10.3389/fcvm.2022.950765): RV:LV diameter ratio, newborns.
    RV    Jain et al., JASE 2014 (doi 10.1016/j.echo.2014.08.018): neonatal right ventricle.
    Z     Pettersen et al., JASE 2008 (doi 10.1016/j.echo.2008.02.006): great vessels, left heart.
    NPE   de Boode et al., Pediatr Res 2018 (doi 10.1038/s41390-018-0082-0): signs in the newborn.

Values between the sources' points, and all spreads, are choices of this simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

PerFrame = Float[np.ndarray, " T"]
"""One value for each frame."""

END_SYSTOLE = 0.40
"""Phase of end systole; phase 0 is end diastole."""


class Effect(NamedTuple):
    """One row of the table: a parameter at severity 0, 0.46 (mild) and 1.05 (severe)."""

    none: float
    mild: float
    severe: float
    spread: float
    """Relative standard deviation between patients of one severity."""
    source: str


EFFECTS = {
    "ei_systole": Effect(1.06, 1.30, 1.85, 0.02, "EI"),
    "ei_diastole": Effect(1.03, 1.04, 1.38, 0.025, "ED"),
    "rv_lv": Effect(0.42, 0.47, 0.60, 0.10, "RVLV"),  # RV width over LV diameter at end diastole
    "rv_wall": Effect(1.9, 2.3, 3.2, 0.13, "NPE"),  # mm
    "rv_lv_apical": Effect(0.86, 0.90, 1.22, 0.08, "RV"),  # basal widths in A4C, end diastole
    "rv_shortening": Effect(0.27, 0.26, 0.18, 0.12, "RV"),
    "ra": Effect(1.0, 1.03, 1.24, 0.08, "NPE"),  # diameter, relative
    "la_ao": Effect(1.28, 1.16, 0.98, 0.075, "NPE"),
    "pa_ao": Effect(1.02, 1.10, 1.28, 0.09, "Z"),
    "plax_bow": Effect(1.9, 0.4, -2.9, 0.0, "NPE"),  # mm towards the RV, end systole
    "plax_rv": Effect(8.6, 10.0, 13.4, 0.11, "RV"),  # mm, anterior to posterior
}
"""Parameters that depend on severity."""

NORMAL = {
    "lv": (18.8, 0.06, "Z"),  # mm, end-diastolic diameter
    "shortening": (0.34, 0.09, "Z"),
    "wall": (3.3, 0.08, "Z"),  # mm
    "aorta": (9.6, 0.06, "Z"),  # mm
    "length": (28.0, 0.06, "Z"),  # mm, left ventricle from mitral ring to apex
}
"""Parameters that do not depend on severity: mean, relative standard deviation, source."""

EXPRESSION_SD = 0.05
"""Standard deviation of a clip's severity around the patient's (foreshortened or oblique planes), a
ninth of the step from none to mild: a choice of this simulation. It is the same for every view, so
that no view is favoured."""


@dataclass(frozen=True, slots=True)
class Heart:
    """One heart as one view shows it: lengths in mm, ratios without unit (`EFFECTS`, `NORMAL`)."""

    ei_systole: float
    ei_diastole: float
    rv_lv: float
    rv_wall: float
    rv_lv_apical: float
    rv_shortening: float
    ra: float
    la_ao: float
    pa_ao: float
    plax_bow: float
    plax_rv: float
    lv: float
    shortening: float
    wall: float
    aorta: float
    length: float


@dataclass(frozen=True, slots=True)
class Beat:
    """State of the cardiac cycle in every frame; each value is in [0, 1]."""

    phase: PerFrame
    """Fraction of the beat: 0 at end diastole, 0.4 at end systole."""
    squeeze: PerFrame
    """Contraction of the ventricles: 0 end diastole, 1 end systole."""
    atria: PerFrame
    """Filling of the atria: 1 end systole, 0 after atrial contraction."""
    pressure: PerFrame
    """Weight of systolic over diastolic septal shape; it outlasts systole, as RV pressure does."""
    inlet: PerFrame
    """Opening of mitral and tricuspid valve."""
    outlet: PerFrame
    """Opening of aortic and pulmonary valve."""


def draw_heart(
    severity: float, shared: np.random.Generator, clip_rng: np.random.Generator
) -> Heart:
    """Draw a heart of a given severity.

    Args:
        severity: the patient's latent severity.
        shared: generator of the patient: every view draws the same values from it.
        clip_rng: generator of this clip.
    """
    shown = severity + EXPRESSION_SD * clip_rng.standard_normal()
    size = float(np.exp(0.07 * shared.standard_normal()))
    values: dict[str, float] = {}
    for name, effect in EFFECTS.items():
        mean = _between(shown, effect)
        values[name] = mean * float(np.exp(effect.spread * shared.standard_normal()))
    for name, (mean, spread, _) in NORMAL.items():
        values[name] = mean * float(np.exp(spread * shared.standard_normal()))
    for name in ("rv_wall", "plax_rv", "lv", "wall", "aorta", "length"):
        values[name] *= size
    return Heart(**values)


def _between(severity: float, effect: Effect) -> float:
    """Interpolate an effect linearly in severity, constant below 0 and extrapolated above 1.05."""
    mild, severe = 0.46, 1.05
    if severity > severe:
        slope = (effect.severe - effect.mild) / (severe - mild)
        return effect.severe + slope * min(severity - severe, 0.25)
    return float(np.interp(severity, (0.0, mild, severe), effect[:3]))


def draw_beat(frames: int, fps: float, rng: np.random.Generator) -> Beat:
    """Draw a heart rate of 110 to 160 per minute, and compute the cycle in every frame."""
    rate = rng.uniform(110, 160) / 60
    wander = np.cumsum(rng.standard_normal(frames)) * 0.004
    phase = (rng.uniform() + np.arange(frames) * rate / fps + wander) % 1.0
    return beat_at(phase)


def beat_at(phase: PerFrame) -> Beat:
    """Compute the state of the heart at given phases."""
    return Beat(
        phase=phase,
        squeeze=_curve(phase, (0, 0.06, 0.2, 0.34, 0.42, 0.47, 0.62, 0.82, 0.95),
                       (0, 0.05, 0.55, 0.96, 1.0, 0.93, 0.30, 0.20, 0.02)),
        atria=_curve(phase, (0, 0.1, 0.40, 0.48, 0.64, 0.84, 0.95),
                     (0.05, 0.25, 1.0, 0.95, 0.5, 0.45, 0.05)),
        pressure=_curve(phase, (0, 0.08, 0.24, 0.36, 0.48, 0.62, 0.8),
                        (0, 0.12, 0.75, 1.0, 0.95, 0.12, 0)),
        inlet=_curve(phase, (0, 0.44, 0.50, 0.56, 0.70, 0.80, 0.88, 0.95),
                     (0, 0, 0.8, 1.0, 0.45, 0.45, 0.8, 0.3)),
        outlet=_curve(phase, (0, 0.05, 0.1, 0.32, 0.40), (0, 0.1, 1.0, 0.9, 0)),
    )  # fmt: skip


def _curve(phase: PerFrame, phases: tuple[float, ...], values: tuple[float, ...]) -> PerFrame:
    """Evaluate a periodic curve through the given points, smoothed at its corners."""
    grid = np.arange(256) / 256
    table = np.interp(grid, phases, values, period=1.0)
    kernel = np.exp(-0.5 * (np.arange(-16, 17) / 5.0) ** 2)
    padded = np.concatenate([table[-16:], table, table[:16]])
    rounded = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    course: PerFrame = np.interp(phase, grid, rounded, period=1.0)
    return course
