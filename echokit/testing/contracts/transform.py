"""The contract of a transform.

It returns a new valid clip of as many frames and the same dtype, and leaves the given one and its
arrays as they were; sector and structures move with the pixels. All randomness comes from the
generator it is given: the same generator state gives the same clip, and nothing global is drawn
from. By stage:

    prepare     uint8 in and out, the generator without effect; frames may change size, and sector
                and structures with them. A clip whose sector is not known may be refused with a
                `ClipError`; one whose sector is known is not.
    augment     float32 in and out, within [0, 1], of the same shape; frames that are alike stay
                alike, but for what differs by frame on purpose.
    normalise   float32 in and out, finite, of the same shape, the generator without effect.

A transform declares its stage by the first word of its factory's docstring: `Prepare: ...`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from inspect import getdoc
from typing import Literal, get_args

import numpy as np
import torch

from echokit.errors import ClipError
from echokit.interfaces import Transform
from echokit.testing.clips import tiny_clip
from echokit.testing.contracts.blocks import check_blocks
from echokit.testing.contracts.generators import global_states
from echokit.testing.contracts.moving import check_moving
from echokit.testing.contracts.rules import (
    attempt,
    expect,
    expect_valid_clip,
    same_clip,
)
from echokit.testing.contracts.suite import Contract, keep
from echokit.types import Clip

Stage = Literal["prepare", "augment", "normalise"]
SEEDS = range(8)
"""Enough seeds that a transform which acts half of the time very likely acts once."""


def declared_stage(factory: object) -> Stage | None:
    """The stage that a factory's docstring begins with, as in `Augment: rotate ...`; or None."""
    words = (getdoc(factory) or "").split(maxsplit=1)
    first = words[0].rstrip(":").lower() if words else ""
    return next((stage for stage in get_args(Stage) if stage == first), None)


def check_transform(
    factory: Callable[[], Transform], stage: Stage, *, per_frame: bool = False
) -> None:
    """Check a transform's contract.

    Args:
        factory: called without arguments; bind options with `functools.partial`.
        stage: `prepare`, `augment` or `normalise`: where in a recipe it stands.
        per_frame: True for what differs by frame on purpose, such as noise.

    Raises:
        ContractError: the contract is broken; the message says how.
    """
    expect(stage in get_args(Stage), f"Stage {stage!r} is none of {', '.join(get_args(Stage))}.")
    keep(TransformContract.of(factory, stage=stage, per_frame=per_frame))


class TransformContract(Contract):
    """Made without arguments besides its options; see this module."""

    kind = "transform"
    stage: Stage = "augment"
    """Where in a recipe it stands."""
    per_frame: bool = False
    """True for what differs by frame on purpose, such as noise."""

    def inapplicable(self) -> Mapping[str, str]:
        """Noise draws for each frame on purpose, and preparing draws nothing."""
        if self.per_frame:
            return {"test_one_draw_for_all_frames": "It says that its frames differ on purpose."}
        if self.stage == "prepare":
            return {"test_one_draw_for_all_frames": "Frames are prepared without any draw."}
        return {}

    def test_result(self) -> None:
        """It returns a valid clip of as many frames and the same dtype, in the stage's range."""
        self._try(SEEDS[0], known=True)

    def test_randomness(self) -> None:
        """The same generator state gives the same clip; nothing global is drawn from."""
        for seed in SEEDS[1:]:
            self._try(seed, known=True)

    def test_unknown_sector(self) -> None:
        """A clip without a known sector is changed too, or when preparing refused by ClipError."""
        self._try(0, known=False)

    def test_one_draw_for_all_frames(self) -> None:
        """Frames that are alike stay alike: one draw serves a sequence, but for noise."""
        transform = self._made()
        still = tiny_clip(dtype="float32")
        still = replace(still, frames=np.repeat(still.frames[:1], len(still.frames), axis=0))
        for seed in SEEDS:
            with attempt("Calling the transform on a still clip"):
                frames = transform(still, _generator(seed)).frames
            expect(
                np.allclose(frames, frames[:1], atol=1e-5),
                "It made frames differ that were alike: draw once for all frames; if they must "
                "differ, as noise does, say so by `per_frame = True` (--per-frame).",
            )

    def test_movement(self) -> None:
        """Sector and structures move with the pixels, or are None where they cannot."""
        transform = self._made()

        def change(seed: int, clip: Clip) -> Clip:
            return transform(clip, _generator(seed))

        for seed in SEEDS:
            check_moving(partial(change, seed), _dtype(self.stage), seed)

    def _made(self) -> Transform:
        transform: Transform = self.make()
        expect(callable(transform), f"The factory made a {type(transform).__name__}, not callable.")
        return transform

    def _try(self, seed: int, known: bool) -> None:
        _check(self._made(), self.stage, known=known, seed=seed)


def _check(transform: Transform, stage: Stage, known: bool, seed: int) -> None:
    def make() -> Clip:
        return tiny_clip(dtype=_dtype(stage), known=known)

    given, kept = make(), make()
    globals_before = global_states()
    try:
        with attempt("Calling the transform", passing=(ClipError,)):
            result = transform(given, _generator(seed))
    except ClipError as error:
        expect(
            not known and stage == "prepare",
            f"A good clip was refused ({error}): one whose sector is known must pass.",
        )
        return
    expect(
        global_states() == globals_before,
        "It drew from torch's or numpy's global generator, or seeded it: "
        "draw from the generator that it is given.",
    )
    expect(same_clip(given, kept), "It changed the given clip in place: return a changed copy.")
    _check_result(expect_valid_clip(result, "The changed clip"), given, stage)
    if stage == "prepare":
        check_blocks(transform, make())
    expect(
        same_clip(result, transform(make(), _generator(seed))),
        "The same clip and the same generator state gave another clip the second time.",
    )
    if stage != "augment":
        expect(
            same_clip(result, transform(make(), _generator(seed + 1))),
            f"Another generator state gave another clip: in the stage {stage!r} a transform is "
            "not random.",
        )


def _check_result(result: Clip, given: Clip, stage: Stage) -> None:
    old, new = given.frames, result.frames
    expect(
        new.dtype == old.dtype,
        f"It made {new.dtype} frames of {old.dtype} ones: in the stage {stage!r} they stay.",
    )
    if stage == "prepare":
        expect(
            len(new) == len(old),
            f"It made {len(new)} frames of {len(old)}: every frame is kept.",
        )
        return
    expect(
        new.shape == old.shape,
        f"It made frames of {new.shape} of {old.shape} ones: in the stage {stage!r} they stay.",
    )
    expect(np.isfinite(new).all(), "It made values that are not finite.")
    expect(
        stage == "normalise" or (new.min() >= 0 and new.max() <= 1),
        f"It made values from {new.min():.4g} to {new.max():.4g}: "
        "they must stay in [0, 1] until they are normalised.",
    )


def _dtype(stage: Stage) -> Literal["uint8", "float32"]:
    return "uint8" if stage == "prepare" else "float32"


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
