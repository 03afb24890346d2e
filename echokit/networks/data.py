"""The data of one network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from echokit.clips.sequences import SequenceSpec
from echokit.clips.store import Store
from echokit.networks.job import Labelled
from echokit.networks.sampling import TrainingSequences


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The data of one network."""

    items: Sequence[Labelled]
    """Labelled clips of the training patients, or labelled patients."""
    classes: tuple[str, ...]
    """Label names, least severe first."""
    store: Store
    spec: SequenceSpec
    sequences: Callable[..., Dataset[tuple[Tensor, int]]] = TrainingSequences
    """Makes the dataset of random sequences from `items`, `store` and `spec`."""

    def shares(self, balanced: bool) -> Float[Tensor, " K"]:
        """Compute the share of each label among the sequences that are drawn."""
        counts = Counter(item.label for item in self.items)
        weights = [
            float(counts[k] > 0 if balanced else counts[k]) for k in range(len(self.classes))
        ]
        shares = torch.tensor(weights)
        return shares / shares.sum()
