"""Augmentation of a sequence: one draw for all frames, against frame by frame."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from monai.transforms import AdjustContrast, Affine, ImageFilter, RandGaussianNoise, ScaleIntensity
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as TF

from echokit import Clip, Transform
from echokit.bench.timing import Claim, paired, timing_row
from echokit.components.slots import make_sequence_spec
from echokit.recipe import load_recipe
from echokit.testing import tiny_clip

K = 12
"""Frames of a sequence."""


def measure(quick: bool) -> list[dict[str, Any]]:
    """Time all steps against two libraries, and the steps at the recipe's chance: one row each."""
    side, repeats = (48, 2) if quick else (224, 41)
    torch.set_num_threads(1)
    clip = tiny_clip(K, side, side)
    clip = replace(clip, frames=clip.frames.astype(np.float32) / 255)
    rows = []
    for peer, probability, at_least in (
        ("torchvision", 1.0, 4.0),
        ("MONAI", 1.0, 4.0),
        ("torchvision", 0.5, None),
    ):
        extent = "every step" if probability == 1 else "each step with the recipe's chance"
        claim = Claim(
            f"augmentation of a sequence {K}×{side}×{side}, {extent}, one thread",
            f"the same steps frame by frame, {peer}",
            at_least=at_least,
            seconds=10e-3,
        )
        ours, theirs = _ours(probability), _frame_by_frame(PEERS[peer], probability)
        row = timing_row(claim, *paired(partial(ours, clip), partial(theirs, clip), repeats))
        rows.append(row | {"note": _profile(clip, repeats) if probability == 1 else ""})
    return rows


STEPS = ("sharpness", "brightness", "gamma", "noise", "background", "affine")


def _profile(clip: Clip, repeats: int) -> str:
    """Time each step, in milliseconds."""
    times: dict[str, list[float]] = {step: [] for step in STEPS}
    rng = torch.Generator().manual_seed(0)
    for _ in range(repeats):
        changed = clip
        for step, transform in zip(STEPS, _steps(1.0), strict=True):
            started = time.perf_counter()
            changed = transform(changed, rng)
            times[step].append(time.perf_counter() - started)
    return ", ".join(f"{step} {1e3 * statistics.median(t):.1f} ms" for step, t in times.items())


def _steps(probability: float) -> tuple[Transform, ...]:
    """Make the recipe's steps with another chance."""
    settings = [f"augment.{step}.probability={probability}" for step in STEPS]
    recipe = load_recipe("ph-newborn", preset="paper", settings=settings)
    assert tuple(recipe.augment) == STEPS
    return make_sequence_spec(recipe, training=True).augment


def _ours(probability: float) -> Callable[[Clip], Clip]:
    transforms, rng = _steps(probability), torch.Generator().manual_seed(0)

    def augment(clip: Clip) -> Clip:
        for transform in transforms:
            clip = transform(clip, rng)
        return clip

    return augment


@dataclass(frozen=True, slots=True)
class _Peer:
    """A library's functions that change one frame `(1, H, W)`."""

    sharpen: Callable[[Tensor, float], Tensor]
    """Sharpens by a factor, or blurs if it is below 1."""
    brighten: Callable[[Tensor, float], Tensor]
    """Multiplies by a factor."""
    gamma: Callable[[Tensor, float], Tensor]
    """Raises to a power."""
    move: Callable[[Tensor, float, list[int], float], Tensor]
    """Rotates by degrees, shifts by pixels and scales by a factor."""


def _monai_sharpen(frame: Tensor, factor: float) -> Tensor:
    blurred: Tensor = ImageFilter(torch.tensor(BLUR) / 13)(frame)
    return blurred.lerp(frame, factor).clamp(0, 1)


def _monai_move(frame: Tensor, angle: float, shift: list[int], scale: float) -> Tensor:
    move = Affine(
        rotate_params=math.radians(angle),
        translate_params=shift[::-1],
        scale_params=(1 / scale, 1 / scale),
        mode="bilinear",
        padding_mode="zeros",
    )
    moved: Tensor = move(frame)[0]
    return moved


BLUR = ((1.0, 1.0, 1.0), (1.0, 5.0, 1.0), (1.0, 1.0, 1.0))
PEERS = {
    "torchvision": _Peer(
        TF.adjust_sharpness,
        TF.adjust_brightness,
        TF.adjust_gamma,
        lambda frame, angle, shift, scale: TF.affine(
            frame, angle, shift, scale, [0.0], interpolation=InterpolationMode.BILINEAR
        ),
    ),
    "MONAI": _Peer(
        _monai_sharpen,
        lambda frame, factor: ScaleIntensity(None, None, factor - 1)(frame).clamp(0, 1),
        lambda frame, gamma: AdjustContrast(gamma)(frame),
        _monai_move,
    ),
}


def _frame_by_frame(peer: _Peer, probability: float) -> Callable[[Clip], Tensor]:
    """Make the peer's augmentation, with a generator of its own."""
    rng = np.random.default_rng(0)
    return lambda clip: _theirs(peer, clip, probability, rng)


def _theirs(peer: _Peer, clip: Clip, probability: float, rng: np.random.Generator) -> Tensor:
    """Apply the same steps as the library's documentation shows them: image by image."""
    applied = rng.random(6) < probability
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
        if applied[0]:
            frame = peer.sharpen(frame, sharpness)
        if applied[1]:
            frame = peer.brighten(frame, brightness)
        if applied[2]:
            frame = peer.gamma(frame, gamma)
        if applied[3] and speckled:
            chance = torch.rand(frame.shape)
            frame = torch.where(chance < 0.005, 1.0, torch.where(chance > 0.995, 0.0, frame))
        elif applied[3]:
            frame = torch.as_tensor(add_noise(frame)).clamp(0, 1)
        if applied[4]:
            noise = amount * 0.3 * (1 + 0.3 * torch.randn(frame.shape))
            frame = torch.where(sector, frame, noise.clamp(0, 1))
        if applied[5]:
            frame = peer.move(frame, angle, shift, scale)
        frames.append(frame)
    if applied[5]:
        sector = TF.affine(sector.to(torch.uint8), angle, shift, scale, [0.0])
    return torch.stack(frames, dim=1)
