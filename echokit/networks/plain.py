"""Pass a network over plain training sequences: not augmented, mixed as the patients are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from echokit.clips.sequences import digest
from echokit.networks.data import TrainingSet

DRAWS = 2
"""Sequences of each item: enough for a mean over clips, at a fraction of an epoch's cost."""


def plain_batches(
    data: TrainingSet, batch: int, seed: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of sequences `(B, C, k, H, W)` without augmentation, and their labels `(B,)`.

    Every item gives the same number of sequences, in a random order, so that labels have the shares
    that they have among the training patients.
    """
    dataset = data.sequences(data.items, data.store, replace(data.spec, augment=()))
    draws = [
        (item, digest(seed, "plain", item, draw))
        for draw in range(DRAWS)
        for item in range(len(data.items))
    ]
    order = torch.randperm(len(draws), generator=torch.Generator().manual_seed(seed))
    loader = DataLoader(
        dataset,
        batch_size=batch,
        sampler=[draws[i] for i in order.tolist()],
        drop_last=len(draws) % batch == 1 and len(draws) > 1,  # batch norm needs two samples
        generator=torch.Generator().manual_seed(seed),
    )
    for sequences, labels in loader:
        yield (
            sequences.to(device).to(memory_format=torch.channels_last_3d),
            labels.to(device),
        )


@torch.no_grad()
def re_estimate_batch_norm(network: nn.Module, batches: Iterator[tuple[Tensor, Tensor]]) -> None:
    """Replace the statistics of batch norm by their mean over the given batches, in place.

    Training draws are augmented and balanced, and clips to be predicted are neither. As
    `torch.optim.swa_utils.update_bn`, with nothing else in training mode.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    network.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean
        norm.train()
    for sequences, _ in batches:
        network(sequences)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()


@torch.no_grad()
def confusion_of(
    network: nn.Module, batches: Iterator[tuple[Tensor, Tensor]], classes: int
) -> Int[np.ndarray, "K K"]:
    """Count sequences by label (row) and most probable prediction (column)."""
    network.eval()
    confusion = np.zeros((classes, classes), np.int64)
    for sequences, labels in batches:
        predictions = network(sequences).argmax(1)
        np.add.at(confusion, (labels.cpu().numpy(), predictions.cpu().numpy()), 1)
    return confusion
