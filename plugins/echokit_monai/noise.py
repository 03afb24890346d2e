"""Augmentations by noise that differs from frame to frame, in all voxels or outside the sector."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch

from echokit import Clip
from echokit_monai.augmentation import Augmentation, chance, seed, uniform
from echokit_monai.options import Range
from echokit_monai.tensors import as_tensor, float_frames, unit_array


@dataclass(frozen=True, slots=True)
class SaltAndPepper:
    """One draw of `monai-noise`: some voxels become white, some black."""

    salt: float
    """Share of voxels set to 1."""
    pepper: float
    """Share of voxels set to 0."""
    seed: int
    """Seed of their places."""


@dataclass(frozen=True, slots=True)
class Gaussian:
    """One draw of `monai-noise`: Gaussian noise is added to every voxel."""

    sd: float
    """Standard deviation, in grey levels of [0, 1]."""
    seed: int
    """Seed of the noise field."""


def noise(
    probability: float, salt: float, pepper: float, sd: float
) -> Augmentation[SaltAndPepper | Gaussian]:
    """Make the augmentation that adds salt and pepper or Gaussian noise, with equal chance."""
    return Augmentation(
        probability, partial(_draw_noise, salt=salt, pepper=pepper, sd=sd), apply_noise
    )


def _draw_noise(
    rng: torch.Generator, *, salt: float, pepper: float, sd: float
) -> SaltAndPepper | Gaussian:
    if chance(rng, 0.5):
        return SaltAndPepper(salt, pepper, seed(rng))
    return Gaussian(sd, seed(rng))


def apply_noise(clip: Clip, drawn: SaltAndPepper | Gaussian) -> Clip:
    """Add the drawn noise."""
    frames = float_frames(clip)
    rng = torch.Generator().manual_seed(drawn.seed)
    if isinstance(drawn, Gaussian):
        noisy = torch.randn(frames.shape, generator=rng).mul_(drawn.sd).add_(frames)
        return replace(clip, frames=unit_array(noisy))
    noisy = frames.clone()
    flat, voxels = noisy.view(-1), noisy.numel()
    for share, level in ((drawn.salt, 1.0), (drawn.pepper, 0.0)):
        # drawing places takes a twentieth of the time of drawing a number for every voxel
        flat[torch.randint(voxels, (round(share * voxels),), generator=rng)] = level
    return replace(clip, frames=unit_array(noisy))


@dataclass(frozen=True, slots=True)
class Background:
    """One draw of `monai-background`."""

    amount: float
    """Brightness in [0, 1], the same for the whole sequence."""
    level: float
    """Mean grey level at the full amount."""
    spread: float
    """Standard deviation of the speckle, as a share of its mean."""
    seed: int
    """Seed of the speckle."""


def background(
    probability: float, level: float, spread: float, amount: Range
) -> Augmentation[Background]:
    """Make the augmentation that fills the area outside the sector with speckle."""
    draw = partial(_draw_background, level=level, spread=spread, amount=amount)
    return Augmentation(probability, draw, apply_background)


def _draw_background(
    rng: torch.Generator, *, level: float, spread: float, amount: Range
) -> Background:
    return Background(uniform(rng, amount), level, spread, seed(rng))


def apply_background(clip: Clip, drawn: Background) -> Clip:
    """Set every voxel outside the sector to `amount * level * (1 + spread * N(0, 1))`.

    A clip without a sector is not changed.
    """
    frames = float_frames(clip)
    if clip.sector is None:
        return clip
    outside = torch.nonzero(as_tensor(~clip.sector).view(-1))[:, 0]
    rng = torch.Generator().manual_seed(drawn.seed)
    speckle = torch.randn((len(frames), len(outside)), generator=rng)
    speckle.mul_(drawn.spread).add_(1.0).mul_(drawn.amount * drawn.level)
    filled = frames.clone()
    filled.view(len(frames), -1).index_copy_(1, outside, speckle)
    return replace(clip, frames=unit_array(filled))
