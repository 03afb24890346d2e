"""What a network says once a sequence is changed: parts of it replaced, its frames reordered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

STEPS = 10
"""Steps from the whole sequence to its blurred copy."""
ORDERS = 4
"""Random orders, of pieces or of frames, to average over."""
PIECES = (4, 8, 8)
"""Pieces that a sequence is cut into along time, rows and columns."""
BLUR = 1 / 8
"""Standard deviation of the blur, as a share of the picture's longer side."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The target's probability as a sequence is replaced, or shown, piece by piece."""

    curve: tuple[float, ...]
    """Probability after 0, 1/10 ... 10/10 of the sector."""
    auc: float
    """Area under the curve, in [0, 1]."""
    chance: float
    """The area that a random order of the same pieces gives: the mean of `ORDERS` of them."""


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
) -> tuple[Curve, Curve]:
    """Replace the most relevant pieces first, and show them first (RISE, arXiv:1806.07421).

    A faithful map makes the probability of the target fall early in the first curve, deletion, and
    rise early in the second, insertion. What is replaced becomes its own blurred copy, so that no
    sharp edge is added. The order is that of pieces, not of single voxels, for maps are coarse:
    a random order of voxels would spoil every structure at once, and chance would look too good.
    One figure of chance serves both curves: deleting in a random order is inserting in its reverse.

    Args:
        model: maps `(B, C, T, H, W)` to logits `(B, K)`; in evaluation mode.
        sequence: normalised as for the model.
        target: index of the class that the map explains.
        values: the map.
        inside: True inside the sector; what lies outside stays as it is.
        seed: of the random orders.
    """
    rng = np.random.default_rng(seed)
    piece, blurred = pieces(values.shape)[inside], blur(sequence, inside)
    relevance = np.bincount(piece, values[inside]) / np.maximum(np.bincount(piece), 1)
    tie = rng.permutation(len(relevance))
    best = np.lexsort((tie[piece], -relevance[piece]))  # voxels inside, most relevant first
    chances = [np.argsort(rng.permutation(len(relevance))[piece]) for _ in range(ORDERS)]
    places = np.flatnonzero(inside)

    def showing(order: Int[np.ndarray, " n"]) -> Iterator[Tensor]:
        for step in range(1, STEPS):
            shown = ~inside
            shown.flat[places[order[: round(len(order) * step / STEPS)]]] = True
            yield torch.where(torch.from_numpy(shown), sequence, blurred)

    orders = [best[::-1], best, *chances]
    changed = (one for order in orders for one in showing(order))
    ends = probabilities(model, [blurred, sequence])[:, target]
    inner = probabilities(model, changed)[:, target].reshape(len(orders), STEPS - 1)
    low, high = (np.full((len(orders), 1), end) for end in ends)
    curves = np.concatenate([low, inner, high], axis=1)
    areas = np.trapezoid(curves, dx=1 / STEPS, axis=1)
    chance = float(areas[2:].mean())
    return (
        Curve(tuple(map(float, curves[0, ::-1])), float(areas[0]), chance),
        Curve(tuple(map(float, curves[1])), float(areas[1]), chance),
    )


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
