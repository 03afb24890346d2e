"""Faults of the research code in saliency: where, when, and for which label."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from echokit import resolve
from echokit.folder import RunFolder
from echokit.recipe import load_recipe
from echokit.runs import carry_out

FRAMES, HEIGHT, WIDTH = 12, 32, 80
"""No two sides alike, so that mixed-up axes show."""
SHRINK = (2, 4, 4)
SPOTS = [(1, 2, 70), (10, 29, 5), (6, 3, 9)]
"""Frame, row and column, none in the middle, none on a diagonal."""


class Bright(nn.Module):
    """Class 0 is what is bright in a feature map smaller than the sequence; class 1 is not."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.stage = nn.AvgPool3d(SHRINK)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bright = self.stage(x * self.weight).mean((1, 2, 3, 4))
        return torch.stack([bright, -bright], 1)

    def cam_layer(self) -> nn.Module:
        return self.stage


def impulse(spot):
    sequence = torch.zeros(1, FRAMES, HEIGHT, WIDTH)
    sequence[0, *spot] = 1
    return sequence


@pytest.mark.parametrize("spot", SPOTS)
def test_saliency_is_not_transposed_in_space_nor_shifted_in_time(spot):
    values = resolve("explainer", "captum-gradcam")(Bright(), impulse(spot), 0).values
    peak = np.unravel_index(values.argmax(), values.shape)
    for found, wanted, cell in zip(peak, spot, SHRINK, strict=True):
        assert abs(int(found) - wanted) < cell
    away = np.abs(np.indices(values.shape) - np.reshape(spot, (3, 1, 1, 1)))
    far = (away > 2 * np.reshape(SHRINK, (3, 1, 1, 1))).any(0)
    assert values[far].max() == 0


def test_saliency_is_brought_back_to_frame_size_and_time():
    network = resolve("backbone", "pytorchvideo-r2plus1d-18", num_classes=3, in_channels=1, width=4)
    sequence = torch.rand(1, 12, 48, 80, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        seen = network.stem(sequence[None])
        coarse = network.stage4(network.stage3(network.stage2(network.stage1(seen))))
    assert coarse.shape[2:] != sequence.shape[1:]
    values = resolve("explainer", "captum-gradcam")(network, sequence, 1).values
    assert values.shape == (12, 48, 80)


@pytest.mark.usefixtures("tiny_plugin")
def test_saliency_is_taken_for_the_predicted_label_instead_of_the_true_one(tmp_path, parts):
    settings = ["split.splits=1", "views.use=['A4C']", "evaluate.bootstrap=0"]
    recipe = load_recipe("tiny-study", settings=settings)
    folder = RunFolder.create(tmp_path / "runs" / "one", recipe)
    carry_out(recipe, folder)
    maps = json.loads((folder.path / "saliency" / "index.json").read_text())["maps"]
    assert any(one["label"] != one["predicted"] for one in maps), "nothing to tell them apart by"
    classes = recipe.tasks["severity"].labels
    explained = [classes[target] for target in parts.TinyPlugin.targets]
    assert explained[: len(maps)] == [one["predicted"] for one in maps]
