"""Does a map depend on what the network learned? The randomisation test of Adebayo et al. (2018).

Source: "Sanity Checks for Saliency Maps", NeurIPS 2018, arXiv:1810.03292, section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from echokit.interfaces import Explainer
from echokit.types import Saliency

COPIES = 5
"""Randomised copies of a network whose similarities are averaged."""
STEPS = 5
"""Steps of the cascade at most; parts nearest to the input share the last one."""
LIMIT = 0.5
"""Similarity to maps of a network that knows nothing, from which on a map fails."""
FLOOR = 0.35
"""Similarity that two unrelated coarse maps may have; what lies below counts as this."""


@dataclass(frozen=True, slots=True)
class Randomisation:
    """How much of a map remains as the network forgets, from its head down to its input."""

    layers: tuple[str, ...]
    """What was randomised at each step, besides all that was randomised before it."""
    similarity: tuple[float, ...]
    """Size of the rank correlation with the network's own map after each step, in [0, 1]."""
    differs: bool
    """True if the map of a network that is random throughout is another one."""
    falls: bool
    """True if similarity falls from step to step, by and large."""
    passed: bool
    """True if both hold."""


def randomisation(
    model: nn.Module,
    explainer: Explainer,
    sequence: Float[Tensor, "C T H W"],
    saliency: Saliency,
    inside: Bool[np.ndarray, "T H W"],
    seed: int,
) -> Randomisation:
    """Randomise the network part by part, cumulatively, and see whether its map changes.

    A step's similarity is the size of Spearman's rank correlation with the original map inside the
    sector (a map turned into its negative shows the same places), the mean over `COPIES` randomised
    copies; it is 0 where a map is flat. The map passes if

    - the last one, of a network that is random throughout, is below `LIMIT`. Why 0.5: the map of a
      coarse layer has about nine independent places, and correlations of nine random places have a
      mean size of 0.28 with a standard deviation of 0.2, which is 0.1 for the mean of five copies;
      so chance alone reaches 0.5 about once in a hundred maps, while an explainer that ignores the
      network stays near 1;
    - and similarity falls: its rank correlation with the step, beginning with 1 before the first,
      is negative. What lies below `FLOOR` counts as that, for its ups and downs are chance.

    Args:
        model: maps `(1, C, T, H, W)` to logits `(1, K)`; it is copied, never changed.
        explainer: made the map.
        sequence: what the map explains, normalised as for the model.
        saliency: the map.
        inside: True inside the sector.
        seed: of all random weights.
    """
    parts = [name for name, _ in layer_groups(model)]
    found = np.zeros((COPIES, len(parts)))
    for row in range(COPIES):
        copied, rng = deepcopy(model), torch.Generator().manual_seed(seed + row)
        for step, (_, tensors) in enumerate(layer_groups(copied)):
            for tensor in tensors:
                _randomise(tensor, rng)
            other = explainer(copied, sequence, saliency.target)
            found[row, step] = abs(similarity(saliency.values[inside], other.values[inside]))
    mean = tuple(map(float, found.mean(axis=0)))
    differs, falls = mean[-1] < LIMIT, falling(mean)
    return Randomisation(tuple(parts), mean, differs, falls, differs and falls)


def falling(similarities: Sequence[float]) -> bool:
    """True if similarity falls over the steps, by and large; before the first it is 1."""
    course = np.maximum([1.0, *similarities], FLOOR)
    return similarity(course, np.arange(len(course), dtype=float)) < 0


def layer_groups(model: nn.Module) -> list[tuple[str, tuple[Tensor, ...]]]:
    """The learned tensors of a network by its top-level parts, the last part first.

    Parts count in the order in which the network registered them, as a rule that of its forward
    pass. A network wrapped in another is unwrapped. Tensors that belong to no part come last.

    Returns:
        (name, tensors) of each of at most `STEPS` groups; running statistics count as learned.
    """
    own = tuple(model.parameters(recurse=False))
    parts = [(name, part) for name, part in model.named_children() if [*part.parameters()]]
    if len(parts) == 1 and not own:
        name, inner = parts[0]
        return [(f"{name}.{below}", tensors) for below, tensors in layer_groups(inner)]
    groups = [(name, tuple(_learned(part))) for name, part in reversed(parts)]
    if own:
        groups.append(("weights", own))
    first, rest = groups[: STEPS - 1], groups[STEPS - 1 :]
    if rest:
        names, tensors = zip(*rest, strict=True)
        first.append((" + ".join(names), sum(tensors, ())))
    return first


def _learned(part: nn.Module) -> Iterator[Tensor]:
    yield from part.parameters()
    for name, buffer in part.named_buffers():
        if name.rpartition(".")[2] in ("running_mean", "running_var"):
            yield buffer


@torch.no_grad()
def _randomise(tensor: Tensor, rng: torch.Generator) -> None:
    """Draw weights anew at the size they had; put biases, scales and statistics in another order.

    So activations keep about their size through many layers, and a variance stays positive.
    """
    if tensor.ndim > 1:
        drawn = torch.randn(tensor.shape, generator=rng).to(tensor)
        tensor.copy_(drawn * tensor.square().mean().sqrt())
    elif tensor.ndim == 1:
        tensor.copy_(tensor[torch.randperm(len(tensor), generator=rng).to(tensor.device)])


def similarity(one: Float[np.ndarray, " n"], other: Float[np.ndarray, " n"]) -> float:
    """Spearman's rank correlation, in [-1, 1]; 0 where one of the two is the same everywhere."""
    from scipy.stats import spearmanr

    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(one, other).statistic)
