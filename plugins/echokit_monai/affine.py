"""Rotation, translation and scaling about the image centre, in one resampling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import cos, radians, sin

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from echokit import Clip
from echokit_monai.augmentation import Augmentation, chance, uniform
from echokit_monai.options import Range
from echokit_monai.tensors import as_array, as_tensor, float_frames, unit_array


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
    """Move frames, sector and structures together; pixels from outside the frame become 0."""
    frames = float_frames(clip)
    grid = _source_points(drawn, *clip.frames.shape[1:])
    sector, structures = clip.sector, clip.structures
    if sector is not None:
        sector = as_array(_moved(as_tensor(sector)[None].float(), grid, "nearest"))[0] > 0.5
    if structures is not None:
        structures = as_array(_moved(as_tensor(structures).float(), grid, "nearest"))
        structures = structures.round().astype(np.uint8)
    return replace(
        clip,
        frames=unit_array(_moved(frames, grid, "bilinear")),
        sector=sector,
        structures=structures,
        spacing=_spacing(clip.spacing, drawn),
        region=None,
    )


def _source_points(drawn: Affine, height: int, width: int) -> Float[Tensor, "1 H W 2"]:
    """Compute the source point of each pixel of the result, in the units of `grid_sample`.

    These run from -1 to 1 over the picture, so (0, 0) is the image centre, about which the picture
    moves. The unit of rows differs from that of columns, so the rotation is converted.
    """
    c, s = cos(radians(drawn.rotation)), sin(radians(drawn.rotation))
    to_right = np.array([c, s * height / width]) * drawn.scale  # of a step right, of a step down
    to_down = np.array([-s * width / height, c]) * drawn.scale
    forwards = np.array([[*to_right, 2 * drawn.right], [*to_down, 2 * drawn.down], [0.0, 0.0, 1.0]])
    backwards = torch.from_numpy(np.linalg.inv(forwards)[None, :2]).float()
    return F.affine_grid(backwards, [1, 1, height, width], align_corners=False)


def _moved(
    images: Float[Tensor, "C H W"], grid: Float[Tensor, "1 H W 2"], mode: str
) -> Float[Tensor, "C H W"]:
    # takes half the time of MONAI's Affine, which computes the grid again for every mask
    moved: Float[Tensor, "C H W"] = F.grid_sample(images[None], grid, mode, align_corners=False)[0]
    return moved


def _spacing(spacing: tuple[float, float] | None, drawn: Affine) -> tuple[float, float] | None:
    """Compute the new millimetres per pixel; None if a rotation mixes unequal rows and columns."""
    if spacing is None or (drawn.rotation != 0 and spacing[0] != spacing[1]):
        return None
    return spacing[0] / drawn.scale, spacing[1] / drawn.scale
