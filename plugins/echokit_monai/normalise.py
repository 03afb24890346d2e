"""Normalisation of the grey levels that are given to a network."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from echokit import Clip, ClipError, Transform

if TYPE_CHECKING:
    import torch


def normalise_transform(mean: float, sd: float) -> Transform:
    """Make the transform `(x - mean) / sd`."""
    return partial(_normalise, mean=mean, sd=sd)


def _normalise(clip: Clip, rng: torch.Generator, *, mean: float, sd: float) -> Clip:
    del rng
    if clip.frames.dtype != np.float32:
        raise ClipError(
            f"This transform works on sequences, float32 frames in [0, 1], and these frames are "
            f"{clip.frames.dtype}: list it under [normalise], not under [prepare]."
        )
    # numpy, so that predicting needs no torch; equal to MONAI's NormalizeIntensity bit for bit
    return replace(clip, frames=(clip.frames - np.float32(mean)) / np.float32(sd))
