"""Datasets of sequences for torch: drawn at random for training, at fixed starts for voting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from echokit.clips.sequences import Item, SequenceSpec, digest, voting_starts, window
from echokit.clips.store import Store


def draw_start(frames: int, k: int, rng: torch.Generator) -> int:
    """Draw the first frame of a window, uniformly from 0 to `frames - k`."""
    return int(torch.randint(0, frames - k + 1, (), generator=rng))


class TrainingSequences(Dataset[tuple[Tensor, int]]):
    """Training sequences: an index is `(item, seed)`; the seed determines the random choices."""

    def __init__(self, items: Sequence[Item], store: Store, spec: SequenceSpec) -> None:
        self.items, self.store, self.spec = items, store, spec

    def __getitem__(self, index: tuple[int, int]) -> tuple[Tensor, int]:
        item, rng = self.items[index[0]], torch.Generator().manual_seed(index[1])
        start = draw_start(item.frames, self.spec.k, rng)
        return self.spec(window(self.store, item.key, start, self.spec.k), rng), item.label

    def __len__(self) -> int:
        return len(self.items)


class VotingSequences(Dataset[Tensor]):
    """Sequences at given starts of given clips, without augmentation."""

    def __init__(
        self, windows: Sequence[tuple[str, int]], store: Store, spec: SequenceSpec
    ) -> None:
        self.windows, self.store, self.spec = windows, store, spec

    def __getitem__(self, index: int) -> Tensor:
        key, start = self.windows[index]
        return torch.from_numpy(self.spec.plain(window(self.store, key, start, self.spec.k)))

    def __len__(self) -> int:
        return len(self.windows)


class TrainingClips(Dataset[tuple[Tensor, int]]):
    """A training sequence of each clip by its number, drawn anew by torch's own generator."""

    def __init__(self, items: Sequence[Item], store: Store, spec: SequenceSpec) -> None:
        self.sequences = TrainingSequences(items, store, spec)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return self.sequences[number, int(torch.randint(2**62, ()))]

    def __len__(self) -> int:
        return len(self.sequences)


class VotingClips(Dataset[tuple[Tensor, int]]):
    """Every voting sequence of every clip by its number, with the label of its clip."""

    def __init__(self, items: Sequence[Item], store: Store, spec: SequenceSpec) -> None:
        starts = [voting_starts(item.clip, item.frames, spec.k, spec.n) for item in items]
        places = [
            (item, start) for item, several in zip(items, starts, strict=True) for start in several
        ]
        self.sequences = VotingSequences([(i.key, start) for i, start in places], store, spec)
        self.labels = [item.label for item, _ in places]

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        return self.sequences[number], self.labels[number]

    def __len__(self) -> int:
        return len(self.labels)


class BalancedSampler(Sampler[tuple[int, int]]):
    """Draws items weighted by the inverse frequency of their class (paper, section 3.1).

    An epoch then shows about as many sequences of each class. Each draw carries a seed for its own
    random choices. All seeds follow from (`seed`, epoch), so that the number of loading processes
    changes nothing.
    """

    def __init__(self, labels: Sequence[int], draws: int, seed: int, balanced: bool = True) -> None:
        counts = Counter(labels)
        self.weights = torch.tensor([1 / counts[y] if balanced else 1.0 for y in labels])
        self.draws, self.seed, self.epoch = draws, seed, 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rng = torch.Generator().manual_seed(digest(self.seed, "epoch", self.epoch))
        # with replacement: otherwise a rare class would run out in the first part of an epoch
        items = torch.multinomial(self.weights, self.draws, replacement=True, generator=rng)
        seeds = torch.randint(0, 2**62, (self.draws,), generator=rng)
        yield from zip(items.tolist(), seeds.tolist(), strict=True)

    def __len__(self) -> int:
        return self.draws
