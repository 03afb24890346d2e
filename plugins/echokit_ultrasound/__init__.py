"""Transforms of ultrasound: a common frame rate; attenuation, shadows, haze and speckle."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from echokit import OptionError, hookimpl

if TYPE_CHECKING:
    from echokit import Transform


@hookimpl
def register_transforms(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add the transforms."""
    register("ultrasound-frame-rate", frame_rate)
    register("ultrasound-attenuation", attenuation)
    register("ultrasound-shadow", shadow)
    register("ultrasound-haze", haze)
    register("ultrasound-speckle", speckle)


def frame_rate(
    *,
    fps: float = 25.0,
    rate: Literal["keep", "nearest", "linear"] = "nearest",
    slower: bool = False,
) -> Transform:
    """Prepare: resample to a common frame rate, so that k frames are as long on every scanner.

    Newborns' hearts are stored at 20 to 80 frames per second, and beat in 0.4 s: twelve frames show
    a whole beat on one scanner and a third of it on another. Where a file gives the time of each
    frame and they are not evenly spaced (DICOM FrameTimeVector, videos of a variable rate), those
    times are used. A clip whose frame rate is unknown stays as it is.

        --set prepare.frame-rate.use=ultrasound-frame-rate --set prepare.frame-rate.fps=30

    Args:
        fps: frames per second, 1 to 1000.
        rate: `nearest` keeps the nearest frame of each step, `linear` blends the two around it,
            `keep` leaves every clip as it is.
        slower: resample clips of fewer frames per second too (below 0.99 of `fps`); `nearest` then
            repeats frames. If false, evenly spaced ones stay as they are.

    Returns:
        A transform of frames of any type.

    Raises:
        OptionError: a number is out of range, or `rate` is none of these.
    """
    from echokit_ultrasound.resampling import CHOICES, FrameRate

    if rate not in CHOICES:
        raise OptionError(
            f"The transform 'ultrasound-frame-rate' was given rate={rate!r}: write keep, nearest "
            "or linear."
        )

    if not 1 <= fps <= 1000:
        raise OptionError(
            f"The transform 'ultrasound-frame-rate' was given fps={fps!r}, which must be 1 to 1000."
        )
    return FrameRate(float(fps), rate, slower)


def attenuation(*, probability: float = 0.5, most: float = 2.0) -> Transform:
    """Augment: darken with depth, as if the gain compensated too little.

    Intensities are multiplied by exp(-a d), where d runs from 0 at the highest row of the sector to
    1 at its lowest and a is drawn from U(0, most), once for all frames (as in Tupper and Gagné
    2025, arXiv:2501.13193, after Ostvik et al. 2021, doi:10.1109/TMI.2021.3051778).

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        most: largest a, above 0; 2 leaves a seventh of the intensity at the far end.

    Returns:
        A transform of float frames in [0, 1].

    Raises:
        OptionError: a number is out of range.
    """
    from echokit_ultrasound.physics import Attenuation, checked

    checked("ultrasound-attenuation", probability=probability, most=most)
    return Attenuation(probability, most)


def shadow(*, probability: float = 0.5, strength: float = 0.8, width: float = 0.25) -> Transform:
    """Augment: an acoustic shadow at a random place in the sector, darkest at its centre.

    Intensities are multiplied by 1 - s exp(-x²/2σx² - y²/2σy²) about a centre drawn within the
    sector, s from U(0.25, 1) strength, σ from U(0.1, 1) width of the frame, once for all frames
    (Smistad et al. 2018, doi:10.1109/ULTSYM.2018.8579835).

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        strength: depth of the darkest shadow, in (0, 1]; 1 is black at its centre.
        width: largest σ as a share of the frame, in (0, 1].

    Returns:
        A transform of float frames in [0, 1].

    Raises:
        OptionError: a number is out of range.
    """
    from echokit_ultrasound.physics import Shadow, checked

    checked("ultrasound-shadow", probability=probability, strength=strength, width=width)
    return Shadow(probability, strength, width)


def haze(*, probability: float = 0.5, strength: float = 0.5) -> Transform:
    """Augment: a band of noisy haze at one depth, as caused by reverberation.

    Noise with mean 1 and standard deviation 0.3, different in each frame, is added in a band at a
    depth drawn from U(0.05, 0.95) of the sector's height, with standard deviation U(0.05, 0.2) and
    strength U(0, strength); nothing is added outside the sector (Ostvik et al. 2021,
    doi:10.1109/TMI.2021.3051778).

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        strength: largest brightness of the band, in (0, 1].

    Returns:
        A transform of float frames in [0, 1].

    Raises:
        OptionError: a number is out of range.
    """
    from echokit_ultrasound.physics import Haze, checked

    checked("ultrasound-haze", probability=probability, strength=strength)
    return Haze(probability, strength)


def speckle(
    *,
    probability: float = 0.5,
    strength: float = 0.5,
    grain: float = 1.5,
    per_frame: bool = False,
) -> Transform:
    """Augment: speckle within the sector, grains that multiply the intensities.

    Intensities are multiplied by 1 + s (r - 1), with s from U(0, strength) and r of unit mean and
    Rayleigh distributed, as the amplitude of fully developed speckle is (Burckhardt 1978,
    doi:10.1109/T-SU.1978.30978; its correlation: Wagner et al. 1987, doi:10.1364/JOSAA.4.000910).
    The mean intensity is kept, except for values cut off at 1. Scanners show the logarithm of
    amplitudes, and true speckle moves with the tissue: this varies the appearance and does not
    simulate a scanner.

        --set augment.speckle.use=ultrasound-speckle --set augment.speckle.grain=2

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        strength: largest s, in (0, 1]; at 1 speckle may be fully developed, with a standard
            deviation of 0.52 times the mean.
        grain: size of the grains in pixels, from 0.5: the distance at which the correlation of r²
            has fallen to exp(-1/2).
        per_frame: True draws a pattern for each frame, which flickers; False draws one pattern for
            all frames, which stands still.

    Returns:
        A transform of float frames in [0, 1].

    Raises:
        OptionError: a number is out of range.
    """
    from echokit_ultrasound.grains import Speckle
    from echokit_ultrasound.physics import checked

    checked("ultrasound-speckle", probability=probability, strength=strength, grain=grain)
    return Speckle(probability, strength, grain, per_frame)
