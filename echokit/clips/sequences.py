"""Windows of k frames out of a clip: which ones vote, and what a network sees of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from echokit.clips.preparation import undrawn
from echokit.clips.store import Store
from echokit.errors import ClipError
from echokit.interfaces import Transform
from echokit.types import Clip

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Item:
    """A prepared clip as training and voting see it."""

    clip: str
    """Identifier of the clip."""
    key: str
    """Its key in the store."""
    frames: int
    """How many frames it has."""
    label: int
    """Index of its label; -1 where it has none."""


@dataclass(frozen=True, slots=True)
class SequenceSpec:
    """What is cut out of a clip, and how uint8 frames become what a network sees."""

    n: int
    """Sequences that vote for a clip."""
    k: int
    """Consecutive frames in a sequence."""
    augment: tuple[Transform, ...] = ()
    """Augmenting transforms, in order; none when voting."""
    share: float = 0.0
    """Probability that a sequence is augmented at all (paper, section 3.1: 0.9)."""
    normalise: Transform | None = None

    def __call__(self, clip: Clip, rng: torch.Generator) -> torch.Tensor:
        """Scale to float32 [0, 1], augment, normalise, add the channel axis: `(1, k, H, W)`."""
        import torch

        clip = _unit(clip)
        if self.augment and torch.rand((), generator=rng).item() < self.share:
            for transform in self.augment:
                clip = transform(clip, rng)
        return torch.from_numpy(self._seen(clip, rng))

    def plain(self, clip: Clip) -> Float32[np.ndarray, "1 k H W"]:
        """The same without augmenting, as an array and without torch."""
        return self._seen(_unit(clip), undrawn())

    def _seen(self, clip: Clip, rng: Any) -> Float32[np.ndarray, "1 k H W"]:
        if self.normalise is not None:
            clip = self.normalise(clip, rng)
        return np.ascontiguousarray(clip.frames)[None]


def _unit(clip: Clip) -> Clip:
    return replace(clip, frames=clip.frames.astype(np.float32) / 255)


def digest(*parts: object) -> int:
    """A 62-bit number that depends on the parts alone: the seed of one random choice."""
    text = "\n".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 2


def check_length(clip: str, frames: int, k: int) -> None:
    """Refuse a clip that is too short for one sequence.

    Raises:
        ClipError: it has fewer than `k` frames.
    """
    if frames < k:
        raise ClipError(f"{clip} has {frames} frame{'s' * (frames != 1)}; a sequence needs {k}")


def voting_starts(clip: str, frames: int, k: int, n: int) -> tuple[int, ...]:
    """The starts of the `n` sequences that vote for a clip: the same in every run.

    They are drawn without replacement as far as the clip has that many.

    Raises:
        ClipError: the clip has fewer than `k` frames.
    """
    check_length(clip, frames, k)
    # the stream of torch's CPU generator, which numpy promises never to change, without torch
    rng = np.random.RandomState(digest(clip) & 0xFFFFFFFF)
    possible = frames - k + 1
    drawn = [start for _ in range(-(-n // possible)) for start in _shuffled(possible, rng)]
    return tuple(sorted(drawn[:n]))


def _shuffled(count: int, rng: np.random.RandomState) -> list[int]:
    """The numbers below `count` as `torch.randperm` shuffles them."""
    order = list(range(count))
    for place, number in enumerate(rng.randint(2**32, size=count - 1, dtype=np.uint32).tolist()):
        other = place + number % (count - place)
        order[place], order[other] = order[other], order[place]
    return order


def window(store: Store, key: str, start: int, k: int) -> Clip:
    """One sequence as a `Clip`, with its sector for the transforms that need it."""
    return Clip(frames=store.window(key, start, k), sector=store.sector(key))
