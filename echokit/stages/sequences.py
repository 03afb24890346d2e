"""Windows of k frames out of a clip: which ones, how they are augmented, how classes balance."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from echokit.errors import ClipError
from echokit.interfaces import Transform
from echokit.stages.store import Store
from echokit.types import Clip


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

    def __call__(self, clip: Clip, rng: torch.Generator) -> Float[Tensor, "1 k H W"]:
        """Scale to float32 [0, 1], augment, normalise, add the channel axis."""
        clip = replace(clip, frames=clip.frames.astype(np.float32) / 255)
        if self.augment and torch.rand((), generator=rng).item() < self.share:
            for transform in self.augment:
                clip = transform(clip, rng)
        if self.normalise is not None:
            clip = self.normalise(clip, rng)
        return torch.from_numpy(np.ascontiguousarray(clip.frames)).unsqueeze(0)  # (1, k, H, W)


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


def draw_start(frames: int, k: int, rng: torch.Generator) -> int:
    """Draw the first frame of a window; every start from 0 to `frames - k` is equally likely."""
    return int(torch.randint(0, frames - k + 1, (), generator=rng))


def voting_starts(clip: str, frames: int, k: int, n: int) -> tuple[int, ...]:
    """The starts of the `n` sequences that vote for a clip: the same in every run.

    They are drawn without replacement as far as the clip has that many.

    Raises:
        ClipError: the clip has fewer than `k` frames.
    """
    check_length(clip, frames, k)
    rng = torch.Generator().manual_seed(digest(clip))
    possible = frames - k + 1
    rounds = [torch.randperm(possible, generator=rng) for _ in range(-(-n // possible))]
    return tuple(sorted(torch.cat(rounds)[:n].tolist()))


class TrainingSequences(Dataset[tuple[Tensor, int]]):
    """Sequences drawn afresh: an index is `(item, seed)`, and the seed makes every choice."""

    def __init__(self, items: Sequence[Item], store: Store, spec: SequenceSpec) -> None:
        self.items, self.store, self.spec = items, store, spec

    def __getitem__(self, index: tuple[int, int]) -> tuple[Tensor, int]:
        item, rng = self.items[index[0]], torch.Generator().manual_seed(index[1])
        start = draw_start(item.frames, self.spec.k, rng)
        return self.spec(window(self.store, item.key, start, self.spec.k), rng), item.label

    def __len__(self) -> int:
        return len(self.items)


class VotingSequences(Dataset[Tensor]):
    """Given sequences of given clips, not augmented."""

    def __init__(
        self, windows: Sequence[tuple[str, int]], store: Store, spec: SequenceSpec
    ) -> None:
        self.windows, self.store, self.spec = windows, store, spec

    def __getitem__(self, index: int) -> Tensor:
        key, start = self.windows[index]
        return self.spec(window(self.store, key, start, self.spec.k), torch.Generator())

    def __len__(self) -> int:
        return len(self.windows)


def window(store: Store, key: str, start: int, k: int) -> Clip:
    """One sequence as a `Clip`, with its sector for the transforms that need it."""
    return Clip(frames=store.window(key, start, k), sector=store.sector(key))


class BalancedSampler(Sampler[tuple[int, int]]):
    """Draws items with the inverse frequency of their class as weight (paper, section 3.1).

    So an epoch shows about as many sequences of each class. Each draw carries the seed of its own
    random choices; all follow from (`seed`, epoch), whatever process loads them.
    """

    def __init__(self, labels: Sequence[int], draws: int, seed: int, balanced: bool = True) -> None:
        counts = Counter(labels)
        self.weights = torch.tensor([1 / counts[y] if balanced else 1.0 for y in labels])
        self.draws, self.seed, self.epoch = draws, seed, 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rng = torch.Generator().manual_seed(digest(self.seed, "epoch", self.epoch))
        items = torch.multinomial(self.weights, self.draws, replacement=True, generator=rng)
        seeds = torch.randint(0, 2**62, (self.draws,), generator=rng)
        yield from zip(items.tolist(), seeds.tolist(), strict=True)

    def __len__(self) -> int:
        return self.draws
