"""Deletion, insertion and the order of frames: a prediction whose pixels are hidden or shuffled."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from saliency_probes import (
    EVERYWHERE,
    SHAPE,
    Linear,
    gradient,
    noise,
)
from sklearn.metrics import auc
from torch import nn

from echokit.saliency.perturbation import (
    PIECES,
    SHARES,
    blur,
    deletion_insertion,
    frame_order,
    order_effect,
    pieces,
    probabilities,
    shuffled,
)


class Motion(nn.Module):
    """Class 1 for frames that differ from the one before: no single frame can tell."""

    def forward(self, sequences):
        moved = sequences.diff(dim=2).abs().mean(dim=(1, 2, 3, 4))
        return torch.stack([torch.zeros_like(moved), 20 * moved - 4], dim=1)


class OrderBlind(nn.Module):
    """The mean frame alone, whatever its place in time."""

    def forward(self, sequences):
        bright = sequences.mean(dim=(1, 2, 3, 4))
        return torch.stack([1 - bright, bright], dim=1)


@pytest.fixture
def curves(sequence):
    """A function that gives the deletion and insertion curves of a map of `Linear`."""

    def measure(values, inside=EVERYWHERE):
        return deletion_insertion(Linear().eval(), sequence, 1, values, inside, seed=3)

    return measure


def test_a_right_map_beats_chance_in_both_curves_and_a_reversed_one_in_neither(curves, sequence):
    right = gradient(Linear(), sequence, 1).values
    for values, better in ((right, True), (1 - right, False)):
        deletion, insertion, gap = curves(values)
        assert (deletion.auc < deletion.chance) is better
        assert (insertion.auc > insertion.chance) is better
        assert gap.value == pytest.approx(insertion.auc - deletion.auc)
        assert gap.chance == pytest.approx(insertion.chance - deletion.chance)
        assert gap.p == (0.05 if better else 1.0)


def test_the_curves_begin_and_end_at_the_sequence_and_its_blurred_copy(curves, sequence):
    model = Linear().eval()
    ends = probabilities(model, [sequence, blur(sequence, EVERYWHERE)])[:, 1]
    deletion, insertion, _ = curves(gradient(model, sequence, 1).values)
    assert deletion.curve[:: len(deletion.curve) - 1] == pytest.approx(ends)
    assert insertion.curve[:: len(insertion.curve) - 1] == pytest.approx(ends[::-1])


def test_the_areas_are_those_of_scikit_learn(curves):
    for curve in curves(np.random.default_rng(0).random(SHAPE, np.float32))[:2]:
        assert curve.auc == pytest.approx(auc(curve.at, curve.curve))


def test_each_step_replaces_or_shows_the_most_relevant_part():
    """A network whose probability is the relevance of what it still sees unchanged."""
    ranks = np.random.default_rng(1).permutation(np.prod(PIECES)).reshape(PIECES)
    values = np.kron(ranks / ranks.max(), np.ones((2, 3, 3))).astype(np.float32)
    original, weights = noise(), torch.from_numpy(values / values.sum())

    class Counter(nn.Module):
        def forward(self, sequences):
            share = ((sequences == original)[:, 0] * weights).sum(dim=(1, 2, 3))
            return torch.log(torch.stack([1 - share, share], dim=1).clamp(1e-9, 1))

    deletion, insertion, _ = deletion_insertion(Counter(), original, 1, values, EVERYWHERE, seed=0)
    steps = np.round(values.size * np.array(SHARES)).astype(int)
    shown = np.append(0, np.sort(values, axis=None)[::-1].cumsum(dtype=float))[steps] / values.sum()
    assert insertion.curve == pytest.approx(shown, abs=1e-3)
    assert deletion.curve == pytest.approx(1 - shown, abs=1e-3)


def test_outside_the_sector_nothing_is_replaced(curves, sequence):
    inside = EVERYWHERE.copy()
    inside[:, :, :12] = False
    assert torch.equal(blur(sequence, inside)[..., :12], sequence[..., :12])
    for curve in curves(np.random.default_rng(0).random(SHAPE, np.float32), inside)[:2]:
        assert np.ptp(curve.curve) < 1e-6, "the box lies outside: the network sees no change"


def test_the_blur_keeps_an_even_sector_even_up_to_its_border():
    inside = EVERYWHERE.copy()
    inside[:, :, :9] = False
    even = torch.from_numpy(np.where(inside, 0.7, 0.0)[None].astype(np.float32))
    assert torch.allclose(blur(even, inside), even, atol=1e-5)


@pytest.mark.parametrize("shape", [(12, 48, 48), (1, 8, 8), (5, 7, 30), (2, 3, 3)])
def test_pieces_cut_a_sequence_into_about_equal_boxes(shape):
    numbers, sizes = np.unique(pieces(shape), return_counts=True)
    along = [min(many, size) for many, size in zip(PIECES, shape, strict=True)]
    assert len(numbers) == np.prod(along)
    least = np.prod([size // many for size, many in zip(shape, along, strict=True)])
    most = np.prod([-(-size // many) for size, many in zip(shape, along, strict=True)])
    assert least <= sizes.min()
    assert sizes.max() <= most


@pytest.mark.slow
def test_the_share_of_noise_that_passes_the_curves_is_the_level(curves, smooth_noise):
    p = [curves(smooth_noise(None, None, 1).values)[2].p for _ in range(200)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(p) == pytest.approx(0.525, abs=0.07), "of twenty ranks, all alike"


def test_shuffling_frames_matters_to_motion_and_not_to_a_mean():
    ramp = torch.linspace(0, 1, 8)[None, :, None, None].expand(1, 8, 4, 4)
    moving = frame_order(Motion(), ramp, 0, seed=0)
    assert moving.probability - moving.shuffled > 0.2
    assert moving.flat > moving.probability
    blind = frame_order(OrderBlind(), ramp, 0, seed=0)
    assert blind.probability == pytest.approx(blind.shuffled, abs=1e-6)
    [effect, none] = [order_effect(m, [ramp] * 3, seed=0) for m in (Motion(), OrderBlind())]
    assert (effect.n, effect.changed) == (3, 1.0)
    assert effect.shuffle == pytest.approx(moving.probability - moving.shuffled, abs=0.1)
    assert none.shuffle == pytest.approx(0, abs=1e-6)
    assert none.changed == 0


def test_a_single_frame_has_no_order():
    assert frame_order(OrderBlind(), noise(frames=1), 0, seed=0) is None
    assert order_effect(OrderBlind(), [noise(frames=1)], seed=0) is None
    assert order_effect(OrderBlind(), [], seed=0) is None


@pytest.mark.parametrize("k", [2, 3, 12])
def test_no_order_of_frames_is_their_own(k):
    frames = torch.arange(float(k))[None, :, None, None]
    for seed in range(10):
        for other in shuffled(frames, seed):
            assert not torch.equal(other, frames)
            assert torch.equal(other.sort(dim=1).values, frames)
