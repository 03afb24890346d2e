"""The augmentation of a sequence: one draw for all frames, against one frame after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from monai.transforms import RandGaussianNoise
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as TF

from echokit import Clip
from echokit.bench.timing import Claim, judge, paired
from echokit.recipe import load_recipe
from echokit.testing import tiny_clip
from echokit.wiring.components import make_sequence_spec

K = 12


def measure(quick: bool) -> list[dict[str, Any]]:
    """Two rows: every step applied, and each with the recipe's probability."""
    side, repeats = (48, 3) if quick else (224, 41)
    torch.set_num_threads(1)
    clip = tiny_clip(K, side, side)
    clip = replace(clip, frames=clip.frames.astype(np.float32) / 255)
    rows = []
    for probability, said in ((1.0, "every step"), (0.5, "each step with the paper's chance")):
        claim = Claim(
            f"augmentation of a sequence {K}×{side}×{side}, {said}, one thread",
            "the same steps frame by frame, torchvision and MONAI",
            at_least=4.0 if probability == 1 else None,
            seconds=10e-3,
        )
        ours, theirs = _ours(probability), _frame_by_frame(probability)
        rows.append(judge(claim, *paired(partial(ours, clip), partial(theirs, clip), repeats)))
    return rows


def _ours(probability: float) -> Callable[[Clip], Clip]:
    """The recipe's own steps, at another chance."""
    steps = ("sharpness", "brightness", "gamma", "noise", "background", "affine")
    settings = [f"augment.{step}.probability={probability}" for step in steps]
    recipe = load_recipe("ph-newborn", preset="paper", settings=settings)
    assert tuple(recipe.augment) == steps
    transforms = make_sequence_spec(recipe, training=True).augment
    rng = torch.Generator().manual_seed(0)

    def augment(clip: Clip) -> Clip:
        for transform in transforms:
            clip = transform(clip, rng)
        return clip

    return augment


def _frame_by_frame(probability: float) -> Callable[[Clip], Tensor]:
    """The other side, with a generator of its own."""
    rng = np.random.default_rng(0)
    return lambda clip: _theirs(clip, probability, rng)


def _theirs(clip: Clip, probability: float, rng: np.random.Generator) -> Tensor:
    """The same steps as the libraries' own documentation has them: images, one after another."""
    on = rng.random(6) < probability
    sharpness = rng.uniform(0, 1) if rng.random() < 0.5 else rng.uniform(1, 8)
    brightness, gamma, amount = rng.uniform(0.5, 1.2), rng.uniform(0.25, 2), rng.uniform()
    speckled, angle = rng.random() < 0.5, rng.uniform(-15, 15)
    side = clip.frames.shape[1]
    shift = [int(s) for s in rng.uniform(-0.1 * side, 0.1 * side, 2)]
    scale = rng.uniform(0.8, 1) if rng.random() < 0.5 else rng.uniform(1, 1.2)
    add_noise = RandGaussianNoise(prob=1.0, std=5 / 255)
    assert clip.sector is not None
    sector, frames = torch.from_numpy(clip.sector)[None], []
    for array in clip.frames:
        frame = torch.from_numpy(array)[None]
        if on[0]:
            frame = TF.adjust_sharpness(frame, sharpness)
        if on[1]:
            frame = TF.adjust_brightness(frame, brightness)
        if on[2]:
            frame = TF.adjust_gamma(frame, gamma)
        if on[3] and speckled:
            chance = torch.rand(frame.shape)
            frame = torch.where(chance < 0.005, 1.0, torch.where(chance > 0.995, 0.0, frame))
        elif on[3]:
            frame = torch.as_tensor(add_noise(frame)).clamp(0, 1)
        if on[4]:
            noise = amount * 0.3 * (1 + 0.3 * torch.randn(frame.shape))
            frame = torch.where(sector, frame, noise.clamp(0, 1))
        if on[5]:
            frame = TF.affine(
                frame, angle, shift, scale, [0.0], interpolation=InterpolationMode.BILINEAR
            )
        frames.append(frame)
    if on[5]:
        sector = TF.affine(sector.to(torch.uint8), angle, shift, scale, [0.0])
    return torch.stack(frames, dim=1)
