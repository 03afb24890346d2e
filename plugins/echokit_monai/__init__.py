"""Transforms that prepare and augment clips, on MONAI: paper section 2.2, step by step.

The frames of a sequence take the place of channels in MONAI's array transforms, so one draw serves
all of them. Where MONAI's own is much slower or means something else, torch or numpy does the work,
and a comment says so. Preparing and normalising need neither MONAI nor torch, so that an exported
bundle predicts without them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from echokit import Transform, hookimpl
from echokit_monai.augmenting import (
    monai,
    monai_affine,
    monai_background,
    monai_brightness,
    monai_gamma,
    monai_noise,
    monai_sharpness,
)
from echokit_monai.backbones import monai_densenet121, monai_resnet18
from echokit_monai.preparing import monai_equalise, monai_normalise, monai_resize, monai_sector


@hookimpl
def register_transforms(register: Callable[[str, Callable[..., Transform]], None]) -> None:
    """Register the prepare steps in their order, normalisation and the augmentations."""
    register("monai-sector", monai_sector)
    register("monai-resize", monai_resize)
    register("monai-equalise", monai_equalise)
    register("monai-normalise", monai_normalise)
    register("monai-sharpness", monai_sharpness)
    register("monai-brightness", monai_brightness)
    register("monai-gamma", monai_gamma)
    register("monai-noise", monai_noise)
    register("monai-background", monai_background)
    register("monai-affine", monai_affine)
    register("monai", monai)


@hookimpl
def register_backbones(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Register MONAI's 3D ResNet-18 and DenseNet-121."""
    register("monai-resnet18", monai_resnet18)
    register("monai-densenet121", monai_densenet121)
