"""Augmentations of grey levels: sharpness, brightness and gamma."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from monai.transforms import ImageFilter, ScaleIntensity

from echokit import Clip
from echokit_monai.augmentation import Augmentation, chance, uniform
from echokit_monai.options import Range
from echokit_monai.tensors import float_frames, unit_array

BLUR = ((1.0, 1.0, 1.0), (1.0, 5.0, 1.0), (1.0, 1.0, 1.0))
"""The smoothing kernel of PIL and torchvision's `adjust_sharpness`, before division by its sum."""


@dataclass(frozen=True, slots=True)
class Sharpness:
    """One draw of `monai-sharpness`."""

    factor: float
    """0 is blurred, 1 unchanged, larger is sharper."""


def sharpness(probability: float, soften: Range, sharpen: Range) -> Augmentation[Sharpness]:
    """Make the augmentation that blurs or sharpens, with equal chance."""
    return Augmentation(
        probability, partial(_draw_sharpness, soften=soften, sharpen=sharpen), apply_sharpness
    )


def _draw_sharpness(rng: torch.Generator, *, soften: Range, sharpen: Range) -> Sharpness:
    return Sharpness(uniform(rng, soften if chance(rng, 0.5) else sharpen))


def apply_sharpness(clip: Clip, drawn: Sharpness) -> Clip:
    """Blend each frame with its blurred copy, as torchvision's `adjust_sharpness` does."""
    frames = float_frames(clip)
    if min(frames.shape[1:]) < 3:
        return clip
    kernel = torch.tensor(BLUR)
    blurred = ImageFilter(kernel / kernel.sum())(frames).as_subclass(torch.Tensor)
    sharpened = blurred.lerp_(frames, drawn.factor)
    for edge in (0, -1):  # as in torchvision, the outermost pixels are not changed
        sharpened[:, edge, :] = frames[:, edge, :]
        sharpened[:, :, edge] = frames[:, :, edge]
    return replace(clip, frames=unit_array(sharpened))


@dataclass(frozen=True, slots=True)
class Brightness:
    """One draw of `monai-brightness`."""

    factor: float
    """Factor of the grey levels."""


def brightness(probability: float, factor: Range) -> Augmentation[Brightness]:
    """Make the augmentation that multiplies grey levels."""
    return Augmentation(probability, partial(_draw_brightness, factor=factor), apply_brightness)


def _draw_brightness(rng: torch.Generator, *, factor: Range) -> Brightness:
    return Brightness(uniform(rng, factor))


def apply_brightness(clip: Clip, drawn: Brightness) -> Clip:
    """Multiply the grey levels of all frames."""
    # MONAI multiplies by 1 + factor, and without limits it does not rescale
    scale = ScaleIntensity(minv=None, maxv=None, factor=drawn.factor - 1.0)
    return replace(clip, frames=unit_array(scale(float_frames(clip))))


@dataclass(frozen=True, slots=True)
class Gamma:
    """One draw of `monai-gamma`."""

    gamma: float
    """Exponent of grey levels in [0, 1]: below 1 is brighter, above 1 darker."""


def gamma(probability: float, gamma: Range) -> Augmentation[Gamma]:
    """Make the augmentation that raises grey levels to a power."""
    return Augmentation(probability, partial(_draw_gamma, gamma=gamma), apply_gamma)


def _draw_gamma(rng: torch.Generator, *, gamma: Range) -> Gamma:
    return Gamma(uniform(rng, gamma))


def apply_gamma(clip: Clip, drawn: Gamma) -> Clip:
    """Raise grey levels to a power: 0 stays 0 and 1 stays 1."""
    # MONAI's AdjustContrast would scale by the sequence's own smallest and largest level
    return replace(clip, frames=unit_array(float_frames(clip).clamp_min(0.0).pow_(drawn.gamma)))
