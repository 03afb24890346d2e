"""The losses that a network can learn from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import log_loss
from torch.nn import functional as F

from echokit.networks.losses import LOSSES, guess_loss, ordinal_loss

LOGITS = arrays(np.float32, (7, 3), elements=st.floats(-6, 6, width=32))
LABELS = arrays(np.int64, 7, elements=st.integers(0, 2))


@given(LOGITS, LABELS)
def test_it_is_the_mean_log_loss_of_each_label_or_above(logits, labels):
    p = torch.from_numpy(logits).double().softmax(1).numpy()
    expected = np.mean(
        [log_loss(labels > k, p[:, k + 1 :].sum(1), labels=[False, True]) for k in range(2)]
    )
    found = ordinal_loss(torch.from_numpy(logits), torch.from_numpy(labels))
    assert float(found) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@given(LOGITS, LABELS)
def test_of_two_labels_it_is_cross_entropy(logits, labels):
    two, label = torch.from_numpy(logits[:, :2].copy()), torch.from_numpy(labels % 2)
    assert torch.allclose(ordinal_loss(two, label), F.cross_entropy(two, label), atol=1e-5)


def test_two_steps_off_cost_more_than_one():
    sure_of_mild = torch.tensor([[0.0, 5.0, 0.0]])
    sure_of_severe = torch.tensor([[0.0, 0.0, 5.0]])
    healthy = torch.tensor([0])
    assert ordinal_loss(sure_of_severe, healthy) > 1.5 * ordinal_loss(sure_of_mild, healthy)
    assert F.cross_entropy(sure_of_severe, healthy) == F.cross_entropy(sure_of_mild, healthy)


def test_extreme_logits_stay_finite_and_have_gradients():
    logits = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    loss = ordinal_loss(logits, torch.tensor([2]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.abs().sum() > 0


@pytest.mark.parametrize("name", LOSSES)
def test_its_expected_value_is_smallest_at_the_true_shares(name):
    shares = torch.tensor([0.6, 0.3, 0.1])
    logits = torch.zeros(1, 3, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200)

    def closure():
        optimizer.zero_grad()
        rows = [LOSSES[name](logits, torch.tensor([k])) for k in range(3)]
        loss = (torch.stack(rows) * shares).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert torch.allclose(logits.detach().softmax(1)[0], shares, atol=1e-3)
    smallest = float(closure().detach())
    assert guess_loss(LOSSES[name], shares) == pytest.approx(smallest, abs=1e-5)


def test_guessing_three_labels_that_are_drawn_alike_costs_log_three():
    assert guess_loss(F.cross_entropy, torch.full((3,), 1 / 3)) == pytest.approx(np.log(3))
