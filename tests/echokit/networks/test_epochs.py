"""Epochs of networks as JSON lines, while they are trained and after."""

import json

import pytest

from echokit.cli.report import training_lines
from echokit.networks.checkpoint import Epoch
from echokit.networks.epochs import EPOCHS, read_epochs, write_epochs


@pytest.fixture
def models(tmp_path):
    below = tmp_path / "severity" / "a" / "A4C"
    history = [Epoch(n, 1 / n, 0.5, 0.001, 2.0, [1, 4, 8, 8]) for n in (1, 2)]
    write_epochs(below / f"split-00{EPOCHS}", history)
    (below / "split-01.json").write_text('{"history": [{"epoch": 1, "loss": 2, "accuracy": 0.4}]}')
    (below / "split-02.json").write_text("{")
    return tmp_path


def test_each_epoch_is_a_line_of_json(models):
    path = models / "severity" / "a" / "A4C" / f"split-00{EPOCHS}"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["loss"] for row in rows] == [1.0, 0.5]
    assert set(rows[0]) == {"epoch", "loss", "accuracy", "lr", "seconds"}


def test_networks_in_training_and_trained_ones_are_read_and_broken_ones_left(models):
    found = read_epochs(models)
    assert {name: len(rows) for name, rows in found.items()} == {
        "severity/a/A4C/split-00": 2,
        "severity/a/A4C/split-01": 1,
    }
    assert training_lines(models)[0] == (
        "severity/a/A4C/split-00: epoch 2, loss 0.500 (first 1.000), accuracy 0.50"
    )
