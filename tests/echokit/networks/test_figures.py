"""The figures of an epoch: the same as Python's own sums, and no result after a broken loss."""

from __future__ import annotations

import pytest
import torch

from echokit import TrainingError
from echokit.networks.figures import STEPS_BETWEEN_CHECKS, Figures
from echokit.networks.job import Job

JOB = Job("severity", "spatio-temporal", "A4C", 0)
CPU = torch.device("cpu")


def test_the_mean_loss_is_the_one_of_python_numbers_to_the_bit():
    losses, figures, total = torch.rand(40), Figures(0, JOB, 0.1, CPU), 0.0
    for index, loss in enumerate(losses):
        figures.add(loss, torch.tensor(index % 4), 3 + index % 5)
        total += loss.item() * (3 + index % 5)
    assert figures.loss() == total / sum(3 + index % 5 for index in range(40))
    assert figures.accuracy() == 60 / 200


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_on_a_cpu_a_broken_loss_is_noticed_at_once(value):
    figures = Figures(2, JOB, 0.1, CPU)
    with pytest.raises(TrainingError, match=r"epoch 3 of severity, A4C.*--set train\.lr=0\.01"):
        figures.add(torch.tensor(value), torch.tensor(1), 8)


def test_where_reading_waits_a_broken_loss_is_noticed_later_but_before_the_epoch_ends(monkeypatch):
    monkeypatch.setattr("echokit.networks.figures.torch.zeros", zeros_on_cpu)
    figures = Figures(0, JOB, 0.1, torch.device("cuda"))
    figures.add(torch.tensor(float("nan")), torch.tensor(1), 8)
    with pytest.raises(TrainingError, match="The loss became nan in epoch 1"):
        figures.loss()
    for _ in range(STEPS_BETWEEN_CHECKS - 2):
        figures.add(torch.tensor(1.0), torch.tensor(1), 8)
    with pytest.raises(TrainingError, match="The loss became nan"):
        figures.add(torch.tensor(1.0), torch.tensor(1), 8)


def zeros_on_cpu(*size, dtype, device, _zeros=torch.zeros):
    assert device.type == "cuda"
    return _zeros(*size, dtype=dtype)
