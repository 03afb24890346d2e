"""What a network says once a sequence is changed: parts of it replaced, its frames reordered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from echokit.saliency.moved_maps import against, moved

AT = (0.0, 0.03, 0.1, 0.3, 0.6, 1.0)
"""Shares of the sector that are replaced or shown; close at first, where small things are told."""
MOVES = 19
"""Moved maps to compare with: the fewest of which a rank test can say p = 0.05."""
ORDERS = 4
"""Random orders of frames to average over."""
PIECES = (4, 8, 8)
"""Pieces that a sequence is cut into along time, rows and columns."""
SMALL = 12 * 64 * 64
"""Voxels up to which 16 sequences go through a network at once: twice as fast as 8 on a CPU."""
BLUR = 1 / 8
"""Standard deviation of the blur, as a share of the picture's longer side."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The target's probability as a sequence is replaced, or shown, piece by piece."""

    at: tuple[float, ...]
    """Shares of the sector that are replaced or shown: `AT`."""
    curve: tuple[float, ...]
    """Probability at each of them."""
    auc: float
    """Area under the curve, in [0, 1]."""
    chance: float
    """The mean area of `MOVES` moved maps."""
    sd: float
    """Its standard deviation over them."""


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the insertion curve lies above the deletion curve: the verdict's figure."""

    value: float
    """Area of insertion minus that of deletion, in [-1, 1]; near 0 where marks do not matter."""
    chance: float
    """The mean of `MOVES` moved maps."""
    sd: float
    """Its standard deviation over them."""
    p: float
    """Share of maps, this one and the moved ones, whose gap is no less than this one's."""


@dataclass(frozen=True, slots=True)
class FrameOrder:
    """The target's probability on the same frames in other orders."""

    probability: float
    """On the sequence as it is."""
    shuffled: float
    """On its frames in random order, the mean of `ORDERS` of them."""
    flat: float
    """On a standing picture: the middle frame throughout."""


@dataclass(frozen=True, slots=True)
class OrderEffect:
    """What the order of frames matters to a network."""

    shuffle: float
    """Mean drop of the predicted label's probability as frames are shuffled."""
    changed: float
    """Share of predicted labels that shuffling changes."""
    n: int
    """How many sequences this was measured on."""


def deletion_insertion(
    model: nn.Module,
    sequence: Float[Tensor, "C T H W"],
    target: int,
    values: Float[np.ndarray, "T H W"],
    inside: Bool[np.ndarray, "T H W"],
    seed: int,
) -> tuple[Curve, Curve, Gap]:
    """Replace the most relevant pieces first, and show them first (RISE, arXiv:1806.07421).

    A faithful map makes the probability of the target fall early in the first curve, deletion, and
    rise early in the second, insertion. What is replaced becomes its own blurred copy, so that no
    sharp edge is added. The order is that of pieces, not of single voxels, for maps are coarse.
    Chance is the same map moved elsewhere (`echokit.saliency.moved_maps`), put to both curves.

    Args:
        model: maps `(B, C, T, H, W)` to logits `(B, K)`; in evaluation mode.
        sequence: normalised as for the model.
        target: index of the class that the map explains.
        values: the map.
        inside: True inside the sector; what lies outside stays as it is.
        seed: of where maps are moved, and of the order of equally relevant pieces.
    """
    rng = np.random.default_rng(seed)
    blurred, places = blur(sequence, inside), np.flatnonzero(inside)
    rankings = [ranking(one, inside, rng) for one in (values, *moved(values, MOVES, rng))]

    def changed() -> Iterator[Tensor]:
        for order in rankings:
            for share in AT[1:-1]:
                marked = np.zeros_like(inside)
                marked.flat[places[order[: round(len(order) * share)]]] = True
                yield torch.where(torch.from_numpy(~inside | ~marked), sequence, blurred)
                yield torch.where(torch.from_numpy(~inside | marked), sequence, blurred)

    whole, none = probabilities(model, [sequence, blurred])[:, target]
    batch = 16 if sequence.numel() <= SMALL else 8
    inner = probabilities(model, changed(), batch)[:, target].reshape(len(rankings), len(AT) - 2, 2)
    ends = np.broadcast_to([[[whole, none]]], (len(rankings), 1, 2))
    curves = np.concatenate([ends, inner, ends[..., ::-1]], axis=1)  # (maps, len(AT), 2)
    areas = np.trapezoid(curves, AT, axis=1)  # of deletion, of insertion
    gaps = areas[:, 1] - areas[:, 0]
    chance = against(gaps[0], gaps[1:])
    deletion, insertion = (
        Curve(
            at=AT,
            curve=tuple(map(float, curves[0, :, kind])),
            auc=float(areas[0, kind]),
            chance=float(areas[1:, kind].mean()),
            sd=float(areas[1:, kind].std(ddof=1)),
        )
        for kind in (0, 1)
    )
    return deletion, insertion, Gap(float(gaps[0]), chance.mean, chance.sd, chance.p)


def ranking(
    values: Float[np.ndarray, "T H W"], inside: Bool[np.ndarray, "T H W"], rng: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """The voxels inside, most relevant piece first; equally relevant pieces in random order."""
    piece = pieces(values.shape)[inside]
    relevance = np.bincount(piece, values[inside]) / np.maximum(np.bincount(piece), 1)
    tie = rng.permutation(len(relevance))
    return np.lexsort((tie[piece], -relevance[piece]))


def pieces(shape: tuple[int, ...]) -> Int[np.ndarray, "T H W"]:
    """The number of the piece that each voxel belongs to: a box of about equal size each."""
    along = [
        np.arange(size) * min(many, size) // size for size, many in zip(shape, PIECES, strict=True)
    ]
    t, row, column = np.ix_(*along)
    return (t * PIECES[1] + row) * PIECES[2] + column


def blur(
    sequence: Float[Tensor, "C T H W"], inside: Bool[np.ndarray, "T H W"]
) -> Float[Tensor, "C T H W"]:
    """Blur the frames in space; what lies outside the sector neither changes nor leaks in."""
    from scipy.ndimage import gaussian_filter

    frames = sequence.cpu().numpy()
    sd = BLUR * max(frames.shape[2:])
    weights = np.broadcast_to(inside, frames.shape).astype(np.float32)
    total = gaussian_filter(frames * weights, sd, axes=(2, 3), mode="constant")
    share = gaussian_filter(weights, sd, axes=(2, 3), mode="constant")
    return torch.from_numpy(np.where(inside, total / np.maximum(share, 1e-6), frames)).to(sequence)


def frame_order(
    model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int, seed: int
) -> FrameOrder | None:
    """How far the target's probability rests on the order of the frames; None for one frame.

    Args:
        model: maps `(B, C, T, H, W)` to logits `(B, K)`; in evaluation mode.
        sequence: normalised as for the model.
        target: index of the class.
        seed: of the random orders.
    """
    k = sequence.shape[1]
    if k == 1:
        return None
    still = sequence[:, [k // 2] * k]
    found = probabilities(model, [sequence, still, *shuffled(sequence, seed)])[:, target]
    return FrameOrder(float(found[0]), float(found[2:].mean()), float(found[1]))


def order_effect(
    model: nn.Module, sequences: Sequence[Float[Tensor, "C T H W"]], seed: int
) -> OrderEffect | None:
    """What shuffling frames does to a network's predictions; None without sequences, or of k = 1.

    Args:
        model: maps `(B, C, T, H, W)` to logits `(B, K)`; in evaluation mode.
        sequences: one or more, normalised as for the model.
        seed: of the random orders.
    """
    if not len(sequences) or sequences[0].shape[1] == 1:
        return None
    every = (
        order
        for i, sequence in enumerate(sequences)
        for order in (sequence, *shuffled(sequence, seed + i))
    )
    found = probabilities(model, every).reshape(len(sequences), 1 + ORDERS, -1)
    label = found[:, 0].argmax(axis=1)
    its = np.take_along_axis(found, label[:, None, None], axis=2)[..., 0]  # (n, 1 + ORDERS)
    return OrderEffect(
        shuffle=float((its[:, :1] - its[:, 1:]).mean()),
        changed=float((found[:, 1:].argmax(axis=2) != label[:, None]).mean()),
        n=len(sequences),
    )


def shuffled(sequence: Float[Tensor, "C T H W"], seed: int) -> Iterator[Tensor]:
    """The frames in `ORDERS` random orders, never in their own."""
    rng = torch.Generator().manual_seed(seed)
    own = torch.arange(sequence.shape[1])
    for _ in range(ORDERS):
        order = torch.randperm(len(own), generator=rng)
        yield sequence[:, order.flip(0) if torch.equal(order, own) else order]


def probabilities(
    model: nn.Module, sequences: Iterable[Float[Tensor, "C T H W"]], batch: int = 8
) -> Float[np.ndarray, "N K"]:
    """Class probabilities of sequences, `batch` of them at a time."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    found, waiting = [], iter(sequences)
    while held := list(islice(waiting, batch)):
        with torch.inference_mode():
            seen = torch.stack(held).to(device).to(memory_format=torch.channels_last_3d)
            found.append(model(seen).float().softmax(1).cpu().numpy())
    return np.concatenate(found)
