"""Optimizers, schedules and the average of the weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from echokit.networks.optimisation import copy_average, make_average, make_optimizer, make_schedule
from echokit.networks.settings import Settings

SETTINGS = Settings(
    epochs=4, n=1, batch=4, lr=0.1, weight_decay=0.2, schedule="constant", balanced=True,
    seed=1, device="cpu", workers=0, compile=False, digest="",
)  # fmt: skip


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def rates(settings, steps=20):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=settings.lr)
    schedule = make_schedule(optimizer, settings, steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_adamw_shrinks_matrices_without_a_gradient_and_nothing_else(network):
    before = [p.detach().clone() for p in network.parameters()]
    optimizer = make_optimizer(network, replace(SETTINGS, optimizer="adamw"))
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for old, new in zip(before, network.parameters(), strict=True):
        expected = old * (1 - 0.1 * 0.2) if old.ndim > 1 else old
        assert torch.allclose(new, expected)


def test_adam_is_torchs_own_with_coupled_decay(network):
    optimizer = make_optimizer(network, SETTINGS)
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.param_groups[0]["weight_decay"] == 0.2


def test_a_constant_rate_is_constant():
    assert rates(SETTINGS) == [0.1] * 20


def test_warm_up_rises_evenly_to_the_rate():
    found = rates(replace(SETTINGS, warm_up=0.25))
    assert found[:5] == pytest.approx([0.1 * n / 6 for n in range(1, 6)])
    assert found[5:] == [0.1] * 15


def test_cosine_falls_from_the_rate_to_nothing():
    found = rates(replace(SETTINGS, schedule="cosine"))
    reference = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    annealing = torch.optim.lr_scheduler.CosineAnnealingLR(reference, 20)
    expected = []
    for _ in range(20):
        expected.append(reference.param_groups[0]["lr"])
        reference.step()
        annealing.step()
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(("warm_up", "peak"), [(0.0, 0.3), (0.1, 0.1), (0.5, 0.5)])
def test_one_cycle_peaks_where_its_rise_ends(warm_up, peak):
    found = rates(replace(SETTINGS, schedule="one-cycle", warm_up=warm_up), 100)
    assert abs(found.index(max(found)) - 100 * peak) <= 2
    assert max(found) == pytest.approx(0.1)


def test_the_average_is_the_exponential_mean_of_the_weights(network):
    average = make_average(network, replace(SETTINGS, average=0.9))
    expected = [p.detach().clone() for p in network.parameters()]
    for step in range(5):
        with torch.no_grad():
            for p in network.parameters():
                p.add_(torch.randn_like(p))
        average.update_parameters(network)
        expected = [
            p.detach().clone() if step == 0 else 0.9 * old + 0.1 * p.detach()
            for old, p in zip(expected, network.parameters(), strict=True)
        ]
    copy_average(average, network)
    for old, p in zip(expected, network.parameters(), strict=True):
        assert torch.allclose(old, p, atol=1e-6)


def test_no_average_is_made_unless_asked(network):
    assert make_average(network, SETTINGS) is None
