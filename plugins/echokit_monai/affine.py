"""Rotation, translation and scaling about the image centre, in one resampling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import cos, radians, sin

import numpy as np
import torch
from jaxtyping import Float
from monai.transforms import Affine as MonaiAffine
from torch import Tensor

from echokit import Clip
from echokit_monai.bridge import as_array, as_tensor, float_frames, unit_array
from echokit_monai.draw import Augmentation, chance, uniform
from echokit_monai.options import Range


@dataclass(frozen=True, slots=True)
class Affine:
    """One draw of `monai-affine`."""

    rotation: float
    """Degrees, counter-clockwise as seen on the screen."""
    down: float
    """Translation, as a share of the height."""
    right: float
    """Translation, as a share of the width."""
    scale: float
    """Below 1 the picture shrinks, above 1 it grows."""


def affine(
    probability: float, rotation: float, translation: float, scale: Range, zoom: Range
) -> Augmentation[Affine]:
    """Make the augmentation that rotates, translates, and shrinks or grows with equal chance."""
    draw = partial(_draw_affine, rotation=rotation, translation=translation, scale=scale, zoom=zoom)
    return Augmentation(probability, draw, apply_affine)


def _draw_affine(
    rng: torch.Generator, *, rotation: float, translation: float, scale: Range, zoom: Range
) -> Affine:
    return Affine(
        rotation=uniform(rng, (-rotation, rotation)),
        down=uniform(rng, (-translation, translation)),
        right=uniform(rng, (-translation, translation)),
        scale=uniform(rng, scale if chance(rng, 0.5) else zoom),
    )


def apply_affine(clip: Clip, drawn: Affine) -> Clip:
    """Move frames, sector and structures together; what comes from outside the frame is 0."""
    frames = float_frames(clip)
    matrix = _backwards(drawn, *clip.frames.shape[1:])
    sector, structures = clip.sector, clip.structures
    if sector is not None:
        moved = _moved(as_tensor(sector)[None].float(), matrix, "nearest")
        sector = as_array(moved)[0] > 0.5
    if structures is not None:
        moved = _moved(as_tensor(structures).float(), matrix, "nearest")
        structures = as_array(moved).round().astype(np.uint8)
    return replace(
        clip,
        frames=unit_array(_moved(frames, matrix, "bilinear")),
        sector=sector,
        structures=structures,
        spacing=_spacing(clip.spacing, drawn),
        region=None,
    )


def _backwards(drawn: Affine, height: int, width: int) -> Float[np.ndarray, "3 3"]:
    """From a pixel of the result to the pixel of the source, both counted from the image centre."""
    c, s = cos(radians(drawn.rotation)), sin(radians(drawn.rotation))
    forwards = np.array(
        [
            [drawn.scale * c, -drawn.scale * s, drawn.down * height],
            [drawn.scale * s, drawn.scale * c, drawn.right * width],
            [0.0, 0.0, 1.0],
        ]
    )
    backwards: Float[np.ndarray, "3 3"] = np.linalg.inv(forwards)
    return backwards


def _moved(
    images: Float[Tensor, "C H W"], matrix: Float[np.ndarray, "3 3"], mode: str
) -> Float[Tensor, "C H W"]:
    # MONAI counts from the centre of rows and columns; the channel axis has no part in it
    move = MonaiAffine(affine=matrix, mode=mode, padding_mode="zeros", image_only=True)
    moved: Float[Tensor, "C H W"] = move(images).as_subclass(Tensor)
    return moved


def _spacing(spacing: tuple[float, float] | None, drawn: Affine) -> tuple[float, float] | None:
    """Millimetres per pixel afterwards; unknown where rows and columns differ and were mixed."""
    if spacing is None or (drawn.rotation != 0 and spacing[0] != spacing[1]):
        return None
    return spacing[0] / drawn.scale, spacing[1] / drawn.scale
