"""Test whether a map depends on the learned weights: the test of Adebayo et al. (2018).

Source: "Sanity Checks for Saliency Maps", NeurIPS 2018, arXiv:1810.03292, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.stats import spearmanr
from torch import Tensor, nn

from echokit.interfaces import Explainer
from echokit.types import Saliency

COPIES = 5
"""Number of randomised copies of a network, whose similarities are averaged."""
STEPS = 5
"""Largest number of steps; the parts nearest to the input share the last step."""
LIMIT = 0.5
"""Similarity to maps of a random network above which a map fails."""
FLOOR = 0.35
"""Similarity that two unrelated coarse maps may have; smaller values are raised to it."""


@dataclass(frozen=True, slots=True)
class Randomisation:
    """Similarity of a map to those of networks randomised step by step, from head to input."""

    layers: tuple[str, ...]
    """Layers that were randomised at each step, in addition to those of the steps before."""
    similarity: tuple[float, ...]
    """Absolute rank correlation with the original map after each step, in [0, 1]."""
    differs: bool
    """True if the map of a completely random network is a different one."""
    falls: bool
    """True if similarity tends to fall from step to step."""
    passed: bool
    """True if the map both differs and falls."""


def randomisation(
    model: nn.Module,
    explainer: Explainer,
    sequence: Float[Tensor, "C T H W"],
    saliency: Saliency,
    inside: Bool[np.ndarray, "T H W"],
    seed: int,
) -> Randomisation:
    """Randomise the network part by part, cumulatively, and measure how its map changes.

    The similarity of a step is the absolute value of Spearman's rank correlation with the original
    map inside the sector (a negated map shows the same places), averaged over `COPIES` randomised
    copies. It is 0 if a map is flat. The map passes if

    - the similarity after the last step, to a completely random network, is below `LIMIT`. Reason
      for 0.5: the map of a coarse layer has about nine independent places. Correlations of nine
      random values have a mean size of 0.28 with a standard deviation of 0.2, which is 0.1 for the
      mean of five copies. Chance alone therefore reaches 0.5 in about one of a hundred maps, while
      an explainer that ignores the network stays near 1;
    - and similarity falls: its rank correlation with the number of the step, starting with 1 before
      the first, is negative. Values below `FLOOR` are raised to it, since they vary by chance.

    Args:
        model: maps `(1, C, T, H, W)` to logits `(1, K)`; it is copied and never changed.
        explainer: the method that made the map.
        sequence: the explained sequence, normalised as for the model.
        saliency: the map.
        inside: True inside the sector.
        seed: seed of the random weights.
    """
    parts = [name for name, _ in layer_groups(model)]
    similarities = np.zeros((COPIES, len(parts)))
    for row in range(COPIES):
        copied, rng = deepcopy(model), torch.Generator().manual_seed(seed + row)
        for step, (_, tensors) in enumerate(layer_groups(copied)):
            for tensor in tensors:
                _randomise(tensor, rng)
            changed = explainer(copied, sequence, saliency.target)
            # a map turned into its negative shows the same places
            correlation = similarity(saliency.values[inside], changed.values[inside])
            similarities[row, step] = abs(correlation)
    mean = tuple(map(float, similarities.mean(axis=0)))
    differs, falls = mean[-1] < LIMIT, falling(mean)
    return Randomisation(tuple(parts), mean, differs, falls, differs and falls)


def falling(similarities: Sequence[float]) -> bool:
    """Return True if similarity tends to fall over the steps; before the first it is 1."""
    course = np.maximum([1.0, *similarities], FLOOR)
    return similarity(course, np.arange(len(course), dtype=float)) < 0


def layer_groups(model: nn.Module) -> list[tuple[str, tuple[Tensor, ...]]]:
    """Group the learned tensors of a network by its top-level parts, the last part first.

    Parts are taken in the order in which the network registered them, which is usually that of the
    forward pass. A network wrapped in another is unwrapped. Tensors of no part come last.

    Returns:
        (name, tensors) of at most `STEPS` groups; running statistics count as learned.
    """
    direct = tuple(model.parameters(recurse=False))
    parts = [(name, part) for name, part in model.named_children() if [*part.parameters()]]
    if len(parts) == 1 and not direct:
        name, inner = parts[0]
        return [(f"{name}.{below}", tensors) for below, tensors in layer_groups(inner)]
    groups = [(name, tuple(_learned(part))) for name, part in reversed(parts)]
    if direct:
        groups.append(("weights", direct))
    first, rest = groups[: STEPS - 1], groups[STEPS - 1 :]
    if rest:
        names, tensors = zip(*rest, strict=True)
        first.append((" + ".join(names), sum(tensors, ())))
    return first


def _learned(part: nn.Module) -> Iterator[Tensor]:
    """List parameters and the running statistics of normalisation layers."""
    yield from part.parameters()
    for name, buffer in part.named_buffers():
        if name.rpartition(".")[2] in ("running_mean", "running_var"):
            yield buffer


@torch.no_grad()
def _randomise(tensor: Tensor, rng: torch.Generator) -> None:
    """Replace weights by random ones of the same size; shuffle biases, scales and statistics.

    Activations then keep about their size through many layers, and a variance stays positive.
    """
    if tensor.ndim > 1:
        drawn = torch.randn(tensor.shape, generator=rng).to(tensor)
        tensor.copy_(drawn * tensor.square().mean().sqrt())
    elif tensor.ndim == 1:
        tensor.copy_(tensor[torch.randperm(len(tensor), generator=rng).to(tensor.device)])


def similarity(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> float:
    """Compute Spearman's rank correlation, in [-1, 1]; 0 if one of the two is constant."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first, second).statistic)
