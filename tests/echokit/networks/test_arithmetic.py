"""The algorithms of a training: chosen within it, and PyTorch's settings restored after it."""

from __future__ import annotations

import os

import pytest
import torch
from torch.backends import cudnn

from echokit.networks.arithmetic import WORKSPACE, arithmetic

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def state():
    return (
        cudnn.benchmark,
        cudnn.deterministic,
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        os.environ.get(WORKSPACE),
    )


@pytest.mark.parametrize(
    ("device", "deterministic", "expected"),
    [
        (CPU, False, (False, False, False, False, None)),
        (CUDA, False, (True, False, False, False, None)),
        (CPU, True, (False, True, True, False, ":4096:8")),
        (CUDA, True, (False, True, True, False, ":4096:8")),
    ],
)
def test_algorithms_are_chosen_and_everything_is_restored(
    monkeypatch, device, deterministic, expected
):
    monkeypatch.delenv(WORKSPACE, raising=False)
    before = state()
    with arithmetic(device, deterministic):
        assert state() == expected
    assert state() == before
    with pytest.raises(KeyError), arithmetic(device, deterministic):
        raise KeyError
    assert state() == before


def test_the_users_own_settings_come_back(monkeypatch):
    monkeypatch.setenv(WORKSPACE, ":16:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with arithmetic(CUDA, deterministic=True):
            assert state()[2:] == (True, False, ":16:8")
        assert state()[2:] == (True, True, ":16:8")
    finally:
        torch.use_deterministic_algorithms(False)


def test_repeatable_algorithms_are_used_in_training_alone(learn_once):
    assert learn_once(True) == {True}
    assert learn_once(False) == {False}
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.fixture
def learn_once(prepared, parts, tmp_path):
    """Train a tiny network; return whether repeatable algorithms were on in its forward passes."""
    from echokit.clips.sequences import SequenceSpec
    from echokit.networks.data import TrainingSet
    from echokit.networks.job import Job
    from echokit.networks.settings import Settings
    from echokit.networks.train import train

    store, items = prepared(8)

    def run(deterministic):
        seen = set()

        class Watching(torch.nn.Sequential):
            def forward(self, x):
                seen.add(torch.are_deterministic_algorithms_enabled())
                return super().forward(x)

        train(
            Job("severity", "spatio-temporal", "A4C", 0),
            lambda: Watching(*parts.backbone(2, 1)),
            TrainingSet(items, ("none", "severe"), store, SequenceSpec(2, 4)),
            Settings(
                epochs=1, n=2, batch=4, lr=1e-2, weight_decay=1e-3, schedule="constant",
                balanced=True, seed=5, device="cpu", workers=0, compile=False, digest="abc",
                deterministic=deterministic,
            ),
            tmp_path / str(deterministic),
            lambda done: None,
        )  # fmt: skip
        return seen

    return run
