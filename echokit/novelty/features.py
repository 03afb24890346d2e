"""Average the features of some of a clip's sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
from jaxtyping import Float32, Float64, Int

from echokit.clips.sequences import Item, SequenceSpec, voting_starts
from echokit.clips.store import Store
from echokit.types import Clip

SEQUENCES = 4
"""Sequences of a clip whose features are averaged: of one clip's ten more say the same."""
Both = Callable[
    [Float32[np.ndarray, "B C T H W"]],
    tuple[Float32[np.ndarray, "B K"], Float32[np.ndarray, "B F"] | None],
]
"""A trained network: normalised sequences to logits and features."""


def chosen(n: int) -> Int[np.ndarray, " m"]:
    """Choose which of n voting sequences, ordered in time, stand for the clip."""
    return np.unique(np.linspace(0, n - 1, min(n, SEQUENCES)).round().astype(int))


def clip_features(
    both: Both, items: Sequence[Item], store: Store, spec: SequenceSpec, batch: int = 16
) -> Float64[np.ndarray, "n F"]:
    """Compute the mean features of clips.

    Args:
        both: the network, which gives features.
        items: the clips, one or more.
        store: holds the clips.
        spec: the voting sequences.
        batch: sequences in one forward pass.
    """
    picked = chosen(spec.n)
    remaining, found = _sequences(items, store, spec, picked), []
    while gathered := list(islice(remaining, batch)):
        features = both(np.stack(gathered))[1]
        assert features is not None, "a network without features is not asked for them"
        found.append(features)
    rows = np.concatenate(found).reshape(len(items), len(picked), -1)
    return np.asarray(rows.mean(axis=1, dtype=np.float64))


def _sequences(
    items: Sequence[Item], store: Store, spec: SequenceSpec, picked: Int[np.ndarray, " m"]
) -> Iterator[Float32[np.ndarray, "1 k H W"]]:
    for item in items:
        starts = voting_starts(item.clip, item.frames, spec.k, spec.n)
        sector = store.sector(item.key)
        for index in picked:
            frames = store.window(item.key, starts[index], spec.k)
            yield spec.plain(Clip(frames=frames, sector=sector))


class FeatureTap:
    """Runs a network that votes, and keeps the features that pass by."""

    def __init__(self, both: Both, n: int) -> None:
        self.both, self.n = both, n
        self._rows: list[Float32[np.ndarray, " F"]] = []

    def __call__(self, sequences: Float32[np.ndarray, "B C T H W"]) -> Float32[np.ndarray, "B K"]:
        """Return the logits."""
        logits, features = self.both(sequences)
        if features is not None:
            self._rows += list(features)
        return logits

    def take(self) -> Float64[np.ndarray, " F"] | None:
        """Return the mean features of the next clip, all of whose sequences have passed."""
        if len(self._rows) < self.n:
            return None
        rows, self._rows = self._rows[: self.n], self._rows[self.n :]
        return np.asarray(np.stack(rows)[chosen(self.n)].mean(axis=0, dtype=np.float64))
