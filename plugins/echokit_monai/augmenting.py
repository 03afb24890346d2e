"""Factories of the transforms that augment training sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from echokit import OptionError, Transform
from echokit_monai.options import checked, checked_range


def monai_sharpness(
    probability: float = 0.5,
    soften: Sequence[float] = (0.0, 1.0),
    sharpen: Sequence[float] = (1.0, 8.0),
) -> Transform:
    """Augment: blur or sharpen, with equal chance (paper, section 2.2).

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        soften: range of the factor when blurring; 0 is blurred, 1 unchanged.
        sharpen: range of the factor when sharpening, 1 or more. Both factors are those of
            torchvision's `adjust_sharpness`.
    """
    from echokit_monai.intensity import sharpness

    return sharpness(
        checked("probability", probability, 0.0, 1.0),
        checked_range("soften", soften, 0.0, 1.0),
        checked_range("sharpen", sharpen, 1.0, 100.0),
    )


def monai_brightness(probability: float = 0.5, factor: Sequence[float] = (0.5, 1.2)) -> Transform:
    """Augment: multiply grey levels, with MONAI's ScaleIntensity (paper, section 2.2).

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        factor: range of the factor; results are clamped to [0, 1].
    """
    from echokit_monai.intensity import brightness

    return brightness(
        checked("probability", probability, 0.0, 1.0),
        checked_range("factor", factor, 0.0, 100.0),
    )


def monai_gamma(probability: float = 0.5, gamma: Sequence[float] = (0.25, 2.0)) -> Transform:
    """Augment: gamma correction, plain x ** gamma on [0, 1] (paper, section 2.2).

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        gamma: range of the exponent; below 1 is brighter, above 1 darker.
    """
    from echokit_monai.intensity import gamma as make

    return make(
        checked("probability", probability, 0.0, 1.0), checked_range("gamma", gamma, 0.01, 100.0)
    )


def monai_noise(
    probability: float = 0.5, salt: float = 0.005, pepper: float = 0.005, sd: float = 5 / 255
) -> Transform:
    """Augment: salt and pepper or Gaussian noise, with equal chance (paper, section 2.2).

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        salt: share of voxels that become 1, drawn with replacement.
        pepper: share of voxels that become 0, drawn with replacement.
        sd: standard deviation of the Gaussian noise, in grey levels of [0, 1].
    """
    from echokit_monai.noise import noise

    return noise(
        checked("probability", probability, 0.0, 1.0),
        checked("salt", salt, 0.0, 1.0),
        checked("pepper", pepper, 0.0, 1.0),
        checked("sd", sd, 0.0, 1.0),
    )


def monai_background(
    probability: float = 0.5,
    level: float = 0.3,
    spread: float = 0.3,
    amount: Sequence[float] = (0.0, 1.0),
) -> Transform:
    """Augment: speckle outside the sector only (paper, section 2.2).

    Every voxel outside becomes amount * level * (1 + spread * N(0, 1)), clamped to [0, 1]. A
    clip without a sector is not changed. Listed after `monai-affine` it also fills the area that
    the motion uncovers.

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        level: mean grey level at the full amount, in [0, 1].
        spread: standard deviation of the speckle as a share of its mean.
        amount: range in [0, 1] of the amount, drawn once for all frames.
    """
    from echokit_monai.noise import background

    return background(
        checked("probability", probability, 0.0, 1.0),
        checked("level", level, 0.0, 1.0),
        checked("spread", spread, 0.0, 10.0),
        checked_range("amount", amount, 0.0, 1.0),
    )


def monai_affine(
    probability: float = 0.5,
    rotation: float = 15.0,
    translation: float = 0.1,
    scale: Sequence[float] = (0.8, 1.0),
    zoom: Sequence[float] = (1.0, 1.2),
) -> Transform:
    """Augment: rotate about the image centre, translate, shrink or grow (paper, section 2.2).

    One bilinear resampling does all three, with zeros from outside the frame; the sector and the
    structures are resampled by nearest neighbour. `box` remains the source rectangle before the
    motion.

    Args:
        probability: chance in [0, 1] that a sequence is changed.
        rotation: largest angle either way, in degrees.
        translation: largest shift either way along each axis, as a share of the side.
        scale: range of the factor when shrinking, in (0, 1].
        zoom: range of the factor when growing, 1 or more; as probable as shrinking.
    """
    from echokit_monai.affine import affine

    return affine(
        checked("probability", probability, 0.0, 1.0),
        checked("rotation", rotation, 0.0, 180.0),
        checked("translation", translation, 0.0, 1.0),
        checked_range("scale", scale, 0.05, 1.0),
        checked_range("zoom", zoom, 1.0, 20.0),
    )


def monai(**options: Any) -> Transform:
    """Augment: any of MONAI's intensity transforms, chosen by the name of its class.

        [augment.smooth]
        use = "monai"
        class = "RandGaussianSmooth"
        prob = 0.5
        sigma_x = [0.5, 1.5]

    The frames take the place of channels, so one draw serves all of them; results are clamped to
    [0, 1]. Every draw follows from the given generator. Transforms that move pixels are refused,
    because sector and structures would not move with them: use `monai-affine`.

    Args:
        options: `class`, the name of one of MONAI's intensity array transforms, and the options
            of that class.

    Raises:
        OptionError: there is no such class, it does not fit, or it does not take an option.
    """
    class_options = dict(options)
    name = class_options.pop("class", None)  # a keyword of Python cannot be a parameter
    if not isinstance(name, str):
        raise OptionError(
            "The transform 'monai' needs the option `class`, the name of one of MONAI's intensity "
            'transforms, as in class = "RandGaussianSmooth".'
        )
    from echokit_monai.library_transform import LibraryTransform, check

    check(name, class_options)
    return LibraryTransform(name, class_options)
