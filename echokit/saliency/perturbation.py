"""Measure how predictions change when parts of a sequence are replaced or frames reordered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from echokit.saliency.moved_maps import compare_to_moved, moved

SHARES = (0.0, 0.03, 0.1, 0.3, 0.6, 1.0)
"""Shares of the sector that are replaced or shown; dense near 0, where small marks differ."""
MOVES = 19
"""Number of moved maps to compare with: the fewest with which a rank test reaches p = 0.05."""
ORDERS = 4
"""Number of random frame orders to average over."""
PIECES = (4, 8, 8)
"""Number of pieces into which a sequence is cut along time, rows and columns."""
SMALL = 12 * 64 * 64
"""Largest sequence, in voxels, of which a batch holds 16 instead of 8: twice as fast on a CPU."""
BLUR = 1 / 8
"""Standard deviation of the blur, as a share of the longer side of a frame."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Probability of the target as a sequence is replaced or shown piece by piece."""

    at: tuple[float, ...]
    """Shares of the sector that are replaced or shown: `SHARES`."""
    curve: tuple[float, ...]
    """Probability at each share."""
    auc: float
    """Area under the curve, in [0, 1]."""
    chance: float
    """Mean area of `MOVES` moved maps."""
    sd: float
    """Standard deviation over the moved maps."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Area between the insertion and the deletion curve, on which the verdict rests."""

    value: float
    """Area of insertion minus that of deletion, in [-1, 1]; near 0 if the marks do not matter."""
    chance: float
    """Mean of `MOVES` moved maps."""
    sd: float
    """Standard deviation over the moved maps."""
    p: float
    """Share of all maps, moved ones and this one, that have at least the gap of this one."""


@dataclass(frozen=True, slots=True)
class FrameOrder:
    """Probability of the target on the same frames in other orders."""

    probability: float
    """On the original sequence."""
    shuffled: float
    """On the frames in random order, the mean of `ORDERS` orders."""
    flat: float
    """On a still picture: the middle frame repeated."""


@dataclass(frozen=True, slots=True)
class OrderEffect:
    """The effect of the order of frames on a network."""

    shuffle: float
    """Mean drop of the predicted label's probability when frames are shuffled."""
    changed: float
    """Share of predicted labels that shuffling changes."""
    n: int
    """Number of sequences measured."""


def deletion_insertion(
    model: nn.Module,
    sequence: Float[Tensor, "C T H W"],
    target: int,
    values: Float[np.ndarray, "T H W"],
    inside: Bool[np.ndarray, "T H W"],
    seed: int,
) -> tuple[Curve, Curve, Gap]:
    """Compute the deletion and insertion curves of a map (RISE, arXiv:1806.07421).

    Deletion replaces the most relevant pieces first, insertion shows them first. With a faithful
    map the probability of the target falls early in deletion and rises early in insertion. A piece
    is replaced by its blurred copy, so that no sharp edge is added. Pieces are ranked instead of
    voxels, because maps are coarse. Both curves are also computed for moved copies of the map
    (`echokit.saliency.moved_maps`), which give the areas that chance gives.

    Args:
        model: maps `(B, C, T, H, W)` to logits `(B, K)`; in evaluation mode.
        sequence: normalised as for the model.
        target: index of the class that the map explains.
        values: the map.
        inside: True inside the sector; pixels outside are never changed.
        seed: seed of the moves, and of the order of equally relevant pieces.
    """
    rng = np.random.default_rng(seed)
    blurred, places = blur(sequence, inside), np.flatnonzero(inside)
    rankings = [ranking(saliency, inside, rng) for saliency in (values, *moved(values, MOVES, rng))]

    # a generator, because all changed sequences together take much memory
    def changed() -> Iterator[Tensor]:
        for order in rankings:
            for share in SHARES[1:-1]:
                marked = np.zeros_like(inside)
                marked.flat[places[order[: round(len(order) * share)]]] = True
                yield torch.where(torch.from_numpy(~inside | ~marked), sequence, blurred)
                yield torch.where(torch.from_numpy(~inside | marked), sequence, blurred)

    original, replaced = probabilities(model, [sequence, blurred])[:, target]
    batch = 16 if sequence.numel() <= SMALL else 8
    inner = probabilities(model, changed(), batch)[:, target].reshape(
        len(rankings), len(SHARES) - 2, 2
    )
    # both ends of a curve are the same for every map, and are computed once
    ends = np.broadcast_to([[[original, replaced]]], (len(rankings), 1, 2))
    curves = np.concatenate([ends, inner, ends[..., ::-1]], axis=1)  # (maps, len(SHARES), 2)
    areas = np.trapezoid(curves, SHARES, axis=1)  # of deletion, of insertion
    gaps = areas[:, 1] - areas[:, 0]
    chance = compare_to_moved(gaps[0], gaps[1:])
    deletion, insertion = (
        Curve(
            at=SHARES,
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
    """Rank the voxels inside, most relevant piece first; ties between pieces in random order."""
    piece = pieces(values.shape)[inside]
    relevance = np.bincount(piece, values[inside]) / np.maximum(np.bincount(piece), 1)
    tie = rng.permutation(len(relevance))
    return np.lexsort((tie[piece], -relevance[piece]))


def pieces(shape: tuple[int, ...]) -> Int[np.ndarray, "T H W"]:
    """Number the pieces, boxes of about equal size, and return each voxel's piece."""
    index = [
        np.arange(size) * min(many, size) // size for size, many in zip(shape, PIECES, strict=True)
    ]
    t, row, column = np.ix_(*index)
    return (t * PIECES[1] + row) * PIECES[2] + column


def blur(
    sequence: Float[Tensor, "C T H W"], inside: Bool[np.ndarray, "T H W"]
) -> Float[Tensor, "C T H W"]:
    """Blur the frames in space; pixels outside the sector neither change nor leak in."""
    frames = sequence.cpu().numpy()
    sd = BLUR * max(frames.shape[2:])
    weights = np.broadcast_to(inside, frames.shape).astype(np.float32)
    total = gaussian_filter(frames * weights, sd, axes=(2, 3), mode="constant")
    # dividing by the blurred sector keeps pixels near its edge as bright as the others
    share = gaussian_filter(weights, sd, axes=(2, 3), mode="constant")
    return torch.from_numpy(np.where(inside, total / np.maximum(share, 1e-6), frames)).to(sequence)


def frame_order(
    model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int, seed: int
) -> FrameOrder | None:
    """Measure how the target's probability depends on the frame order; None for one frame.

    Args:
        model: maps `(B, C, T, H, W)` to logits `(B, K)`; in evaluation mode.
        sequence: normalised as for the model.
        target: index of the class.
        seed: seed of the random orders.
    """
    k = sequence.shape[1]
    if k == 1:
        return None
    still = sequence[:, [k // 2] * k]
    inputs = [sequence, still, *shuffled(sequence, seed)]
    original, flat, *orders = probabilities(model, inputs)[:, target]
    return FrameOrder(float(original), float(np.mean(orders)), float(flat))


def order_effect(
    model: nn.Module, sequences: Sequence[Float[Tensor, "C T H W"]], seed: int
) -> OrderEffect | None:
    """Measure how shuffling frames changes predictions; None without sequences or if k = 1.

    Args:
        model: maps `(B, C, T, H, W)` to logits `(B, K)`; in evaluation mode.
        sequences: normalised as for the model.
        seed: seed of the random orders.
    """
    if not len(sequences) or sequences[0].shape[1] == 1:
        return None
    inputs = (
        order
        for i, sequence in enumerate(sequences)
        for order in (sequence, *shuffled(sequence, seed + i))
    )
    every = probabilities(model, inputs).reshape(len(sequences), 1 + ORDERS, -1)
    label = every[:, 0].argmax(axis=1)
    predicted = np.take_along_axis(every, label[:, None, None], axis=2)[..., 0]  # (n, 1 + ORDERS)
    return OrderEffect(
        shuffle=float((predicted[:, :1] - predicted[:, 1:]).mean()),
        changed=float((every[:, 1:].argmax(axis=2) != label[:, None]).mean()),
        n=len(sequences),
    )


def shuffled(sequence: Float[Tensor, "C T H W"], seed: int) -> Iterator[Tensor]:
    """Shuffle the frames in `ORDERS` random orders, never the original order."""
    rng = torch.Generator().manual_seed(seed)
    original = torch.arange(sequence.shape[1])
    for _ in range(ORDERS):
        order = torch.randperm(len(original), generator=rng)
        yield sequence[:, order.flip(0) if torch.equal(order, original) else order]


def probabilities(
    model: nn.Module, sequences: Iterable[Float[Tensor, "C T H W"]], batch: int = 8
) -> Float[np.ndarray, "N K"]:
    """Compute class probabilities of sequences in batches."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    rows, remaining = [], iter(sequences)
    while members := list(islice(remaining, batch)):
        with torch.inference_mode():
            inputs = torch.stack(members).to(device).to(memory_format=torch.channels_last_3d)
            rows.append(model(inputs).float().softmax(1).cpu().numpy())
    return np.concatenate(rows)
