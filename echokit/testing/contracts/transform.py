"""The contract of a transform.

It returns a new valid clip of as many frames and the same dtype, and leaves the given one and its
arrays as they were. All randomness comes from the generator it is given: the same generator
state gives the same clip, and nothing global is drawn from. By stage:

    prepare     uint8 in and out, the generator without effect; frames may change size, and sector
                and structures with them. A clip whose sector is not known may be refused with a
                `ClipError`; one whose sector is known is not.
    augment     float32 in and out, within [0, 1], of the same shape.
    normalise   float32 in and out, finite, of the same shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from echokit.errors import ClipError
from echokit.interfaces import Transform
from echokit.testing.clips import tiny_clip
from echokit.testing.contracts.rules import attempt, expect, expect_valid_clip, same_clip
from echokit.types import Clip

if TYPE_CHECKING:
    import torch

Stage = Literal["prepare", "augment", "normalise"]
SEEDS = range(8)
"""Enough that a transform which acts half of the time is very likely met in the act."""


def check_transform(factory: Callable[[], Transform], stage: Stage) -> None:
    """Check a transform's contract.

    Args:
        factory: called without arguments; bind options with `functools.partial`.
        stage: `prepare`, `augment` or `normalise`: where in a recipe it stands.

    Raises:
        ContractError: the contract is broken; the message says how.
    """
    expect(stage in get_args(Stage), f"Stage {stage!r} is none of {', '.join(get_args(Stage))}.")
    with attempt("The factory"):
        transform = factory()
    expect(callable(transform), f"The factory made a {type(transform).__name__}, not a callable.")
    for seed in SEEDS:
        _check(transform, stage, known=True, seed=seed)
    _check(transform, stage, known=False, seed=0)


def _check(transform: Transform, stage: Stage, known: bool, seed: int) -> None:
    def make() -> Clip:
        return tiny_clip(dtype="uint8" if stage == "prepare" else "float32", known=known)

    given, kept = make(), make()
    globals_before = _global_states()
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
        _global_states() == globals_before,
        "It drew from torch's or numpy's global generator, or seeded it: "
        "draw from the generator that it is given.",
    )
    expect(same_clip(given, kept), "It changed the given clip in place: return a changed copy.")
    _check_result(expect_valid_clip(result, "The changed clip"), given, stage)
    expect(
        same_clip(result, transform(make(), _generator(seed))),
        "The same clip and the same generator state gave another clip the second time.",
    )
    if stage == "prepare":
        expect(
            same_clip(result, transform(make(), _generator(seed + 1))),
            "Another generator state gave another clip: a preparing transform is not random.",
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


def _generator(seed: int) -> torch.Generator:
    import torch

    return torch.Generator().manual_seed(seed)


def _global_states() -> tuple[bytes, bytes, int]:
    """States that no transform may touch; not `random`'s, which beartype draws from."""
    import torch

    state = np.random.get_state(legacy=False)["state"]  # noqa: NPY002 - to see nobody drew from it
    return torch.get_rng_state().numpy().tobytes(), state["key"].tobytes(), state["pos"]
