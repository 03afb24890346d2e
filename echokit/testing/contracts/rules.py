"""What all contracts share: the error, and how a rule is checked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Shaped

from echokit.types import Clip

Array = Shaped[np.ndarray, "..."]


class ContractError(AssertionError):
    """A component breaks its contract; the message says how, and what is expected."""


class NotMadeError(ContractError):
    """The component's factory raised, so that no rule can be tried."""


def expect(holds: object, broken: str) -> None:
    """Raise `ContractError(broken)` unless the rule holds."""
    if not holds:
        raise ContractError(broken)


@contextmanager
def attempt(doing: str, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn what is raised inside, other than `passing`, into a `ContractError` that says when."""
    try:
        yield
    except Exception as error:
        if isinstance(error, (ContractError, *passing)):
            raise
        raise ContractError(f"{doing} raised {type(error).__name__}: {error}") from error


def same(one: Array | None, other: Array | None) -> bool:
    """True if both are None, or equal in dtype, shape and every value."""
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and np.array_equal(one, other)


def same_clip(one: Clip, other: Clip) -> bool:
    """True if two clips agree in every field."""
    return (
        same(one.frames, other.frames)
        and same(one.sector, other.sector)
        and same(one.structures, other.structures)
        and (one.fps, one.spacing, one.region, one.structure_names, one.box)
        == (other.fps, other.spacing, other.region, other.structure_names, other.box)
    )


def expect_valid_clip(clip: object, source: str) -> Clip:
    """Check the shapes, dtypes and ranges that `echokit.Clip` documents; return the clip."""
    expect(isinstance(clip, Clip), f"{source} is a {type(clip).__name__}, not an echokit.Clip.")
    assert isinstance(clip, Clip)
    frames = clip.frames
    expect(
        isinstance(frames, np.ndarray) and frames.ndim == 3 and frames.size > 0,
        f"{source} has frames of shape {getattr(frames, 'shape', None)}: (T, H, W) is expected.",
    )
    expect(
        frames.dtype in (np.uint8, np.float32),
        f"{source} has {frames.dtype} frames: uint8, or float32 while augmenting, is expected.",
    )
    size = frames.shape[1:]
    if clip.sector is not None:
        expect(
            clip.sector.shape == size and clip.sector.dtype == np.bool_,
            f"{source} has a sector of {clip.sector.dtype} {clip.sector.shape}: "
            f"bool {size}, the size of its frames, is expected.",
        )
    if clip.structures is not None:
        expect(
            clip.structures.shape == frames.shape and clip.structures.dtype == np.uint8,
            f"{source} has structures of {clip.structures.dtype} {clip.structures.shape}: "
            f"uint8 {frames.shape}, the shape of its frames, is expected.",
        )
        expect(
            int(clip.structures.max()) <= len(clip.structure_names),
            f"{source} has structures up to label {clip.structures.max()}, but names only "
            f"{len(clip.structure_names)}: label n is `structure_names[n - 1]`.",
        )
    for name, values in (("fps", (clip.fps,)), ("spacing", clip.spacing or ())):
        expect(
            all(v is None or (math.isfinite(v) and v > 0) for v in values),
            f"{source} has {name} {values}: above 0, or None where it is not known, is expected.",
        )
    if clip.region is not None:
        rows, columns = clip.region.slices
        expect(
            0 <= rows.start < rows.stop <= size[0] and 0 <= columns.start < columns.stop <= size[1],
            f"{source} has a region {clip.region} that is not inside its {size} frames: "
            "give None where the file's own tags are unsound.",
        )
    return clip
