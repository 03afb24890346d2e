"""The ultrasound machine that a patient is examined with: its physics and its picture.

A machine is drawn for each patient (one examination, one scanner); the operator's settings and the
artefacts are drawn for each clip. Ranges and fixed points follow these sources; values between them
are choices of this simulation.

    SZ    Szabo, Diagnostic Ultrasound Imaging: Inside Out, 2nd ed., 2014: width of a beam,
          0.51 wavelengths over the aperture (standard deviation); a pulse of n cycles; side lobes
          13 dB down without, 30 dB and more with apodisation; scattering of blood by frequency.
    TNE   Mertens et al., Eur J Echocardiogr 2011 (doi 10.1093/ejechocard/jer181): newborns are
          examined with high-frequency probes, at high frame rates.
    HI    Spencer et al., Am J Cardiol 1998 (doi 10.1016/s0002-9149(98)00457-3): tissue harmonics
          lower clutter and show blood and muscle in better contrast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

REFERENCE = "reference"
"""Name of the setting without a machine: the picture of `acquisition.Scanner`."""
RANDOM = "random"
"""Name of the setting that draws a machine for each patient."""

_SOUND = 1.54
"""Speed of sound in soft tissue, mm/us."""
_MACHINE = 4
"""Part of the seed that tells the machine's generator from those in `cohort`."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One scanner with its probe and presets."""

    frequency: float
    """Centre frequency, MHz."""
    aperture: float
    """Width of the probe's active face, mm."""
    cycles: float
    """Length of the received pulse in cycles."""
    harmonic: bool
    """True where the picture is made of the tissue's second harmonic."""
    side_lobes: float
    """Level of the side lobes without harmonics, dB below the main lobe."""
    half_angle: float
    """Half the sector's opening angle, degrees; the operator varies it by 4 degrees."""
    density: float
    """Beams per angle, relative to the reference picture."""
    fps: float
    """Frames per second of stored clips."""
    dynamic_range: float
    """Range of echoes that is shown, dB from black to white."""
    gamma: float
    """Exponent of the grey map; below 1 brightens the greys."""
    s_curve: float
    """Share of a smooth step in the grey map, 0 to 1: it darkens dark and brightens bright."""
    smoothing: float
    """Strength of speckle reduction, 0 to 1."""
    persistence: float
    """Share of the previous picture in a frame, 0 to below 1."""
    gain_error: float
    """Standard deviation of the error of time and lateral gain, dB."""
    noise: float
    """Amplitude of electronic noise at the far edge, relative to pericardium."""
    clutter: float
    """Amplitude of haze over the picture without harmonics, relative to pericardium."""
    reverberation: float = 0.3
    """Probability that a clip has echoes of the chest wall repeated below it."""
    shadow: float = 0.4
    """Probability that rib or lung shadows a part of a clip's beams."""
    dropout: float = 0.6
    """Share of the echo that a wall parallel to the beam loses at most, 0 to 1."""
    foreshortening: float = 0.4
    """Probability that a long axis is cut obliquely."""
    drift: float = 0.4
    """Probability that breathing moves the heart visibly."""
    trace: float = 0.2
    """Probability that the ECG runs over the lower edge of the sector."""

    @property
    def wavelength(self) -> float:
        """Wavelength in tissue, mm."""
        return _SOUND / self.frequency

    @property
    def axial(self) -> float:
        """Standard deviation of the point spread along a beam at the probe, mm [SZ]."""
        return self.cycles * self.wavelength / 4.7  # half the pulse's length, over 2.355

    @property
    def lateral(self) -> float:
        """Standard deviation of the point spread across beams at the focus, radians [SZ]."""
        # the harmonic is generated where the beam is strong, so its beam is narrower [HI]
        narrower = 0.75 if self.harmonic else 1.0
        return narrower * 0.51 * self.wavelength / self.aperture

    @property
    def lobes(self) -> float:
        """Amplitude of the side lobes relative to the main lobe."""
        return float(10 ** ((self.side_lobes - (12 if self.harmonic else 0)) / 20))

    @property
    def haze(self) -> float:
        """Amplitude of clutter relative to pericardium; harmonics take 10 dB off it [HI]."""
        return self.clutter * (0.32 if self.harmonic else 1.0)

    @property
    def blood(self) -> float:
        """Amplitude of blood relative to the reference: it scatters by frequency squared [SZ]."""
        return (self.frequency / 8.0) ** 2


MACHINES: dict[str, Machine] = {
    "premium": Machine(
        frequency=8.0, aperture=14.0, cycles=3.0, harmonic=True, side_lobes=-32, half_angle=40,
        density=1.1, fps=58, dynamic_range=62, gamma=0.95, s_curve=0.3, smoothing=0.45,
        persistence=0.15, gain_error=1.0, noise=0.004, clutter=0.010,
        reverberation=0.15, shadow=0.3, dropout=0.45,
    ),
    "neonatal": Machine(
        frequency=11.0, aperture=11.0, cycles=3.0, harmonic=False, side_lobes=-32, half_angle=42,
        density=1.15, fps=72, dynamic_range=58, gamma=1.0, s_curve=0.2, smoothing=0.25,
        persistence=0.10, gain_error=1.2, noise=0.010, clutter=0.010, dropout=0.55,
    ),
    "compact": Machine(
        frequency=6.0, aperture=12.0, cycles=3.2, harmonic=True, side_lobes=-28, half_angle=38,
        density=0.85, fps=40, dynamic_range=56, gamma=0.9, s_curve=0.4, smoothing=0.6,
        persistence=0.30, gain_error=1.6, noise=0.007, clutter=0.016,
    ),
    "portable": Machine(
        frequency=4.5, aperture=12.0, cycles=3.2, harmonic=True, side_lobes=-26, half_angle=36,
        density=0.6, fps=24, dynamic_range=52, gamma=0.85, s_curve=0.5, smoothing=0.7,
        persistence=0.40, gain_error=2.0, noise=0.012, clutter=0.025,
        reverberation=0.5, shadow=0.5, dropout=0.7,
    ),
    "older": Machine(
        frequency=5.0, aperture=12.0, cycles=3.5, harmonic=False, side_lobes=-24, half_angle=34,
        density=0.75, fps=30, dynamic_range=48, gamma=1.1, s_curve=0.1, smoothing=0.1,
        persistence=0.30, gain_error=2.2, noise=0.012, clutter=0.022,
        reverberation=0.5, shadow=0.5, dropout=0.75, trace=0.5,
    ),
}  # fmt: skip
"""Machines by name, each a class of scanner: a cart's first choice, a probe for newborns, a compact
system, a hand-held one, and one of the years before harmonic imaging. `random` does not single them
out: its ranges contain them and it draws none of them on purpose."""

CHOICES = (REFERENCE, RANDOM, *MACHINES)
"""Valid values of the option `machine`."""


def machine_of(name: str, seed: int, patient: int) -> Machine | None:
    """Find the machine that a patient is examined with; None for the reference picture.

    Args:
        name: one of `CHOICES`.
        seed: seed of the cohort.
        patient: the patient's number.
    """
    if name == RANDOM:
        return draw_machine(np.random.default_rng([seed, _MACHINE, patient]))
    return MACHINES.get(name)


def draw_machine(rng: np.random.Generator) -> Machine:
    """Draw a machine: every property by itself, over a range that contains all of `MACHINES`."""
    between: Callable[[float, float], float] = rng.uniform

    def log_between(low: float, high: float) -> float:
        return float(np.exp(between(np.log(low), np.log(high))))

    return Machine(
        frequency=log_between(4, 12),
        aperture=float(between(10, 15)),
        cycles=float(between(2.5, 4.0)),
        harmonic=bool(rng.random() < 0.6),
        side_lobes=float(between(-34, -23)),
        half_angle=float(between(33, 44)),
        density=float(between(0.5, 1.2)),
        fps=round(log_between(20, 80), 1),
        dynamic_range=float(between(44, 70)),
        gamma=float(between(0.75, 1.25)),
        s_curve=float(between(0, 0.6)),
        smoothing=float(between(0, 0.8)),
        persistence=float(between(0, 0.45)),
        gain_error=float(between(0.5, 2.5)),
        noise=log_between(0.003, 0.016),
        clutter=log_between(0.006, 0.030),
        reverberation=float(between(0.1, 0.6)),
        shadow=float(between(0.2, 0.6)),
        dropout=float(between(0.3, 0.8)),
        foreshortening=float(between(0.2, 0.6)),
        drift=float(between(0.2, 0.6)),
        trace=float(between(0, 0.6)),
    )
