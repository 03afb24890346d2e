"""Maps of networks whose layers are randomised one more at a time, from the head down."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from saliency_probes import (
    EVERYWHERE,
    SHAPE,
    Convolutional,
    Linear,
    edges,
    noise,
    scaled,
)
from scipy.stats import spearmanr
from torch import nn

from echokit.saliency.randomisation import (
    COPIES,
    STEPS,
    falling,
    layer_groups,
    randomisation,
    similarity,
)


def test_a_map_that_changes_its_sign_alone_is_the_same_map(sequence):
    def signed(model, sequence, target):
        values = edges(model, sequence, target).values
        return scaled(values if model.weights.sum() > 0 else 1 - values, target)

    shown = signed(Linear(), sequence, 1)
    found = randomisation(Linear(), signed, sequence, shown, EVERYWHERE, 0)
    assert found.similarity == pytest.approx([1.0])
    assert (found.differs, found.passed) == (False, False)


@pytest.mark.parametrize(
    ("course", "falls"),
    [
        ([0.9, 0.7, 0.4, 0.2, 0.1], True),
        ([0.1, 0.3, 0.05, 0.2, 0.3], True),  # at once, then chance
        ([0.1], True),
        ([0.1, 0.2, 0.4, 0.45, 0.48], False),
        ([1.0, 1.0, 1.0], False),
    ],
)
def test_similarity_has_to_fall_over_the_steps(course, falls):
    assert falling(course) is falls


def test_each_step_randomises_one_more_part_from_the_head_down(sequence):
    network, met = Convolutional().eval(), []
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def watch(model, sequence, target):
        now = model.state_dict()
        met.append(sorted({n.split(".")[0] for n, t in now.items() if not torch.equal(t, own[n])}))
        return scaled(np.random.default_rng(len(met)).random(SHAPE))

    shown = scaled(np.random.default_rng(99).random(SHAPE))
    found = randomisation(network, watch, sequence, shown, EVERYWHERE, 0)
    assert met == [["head"], ["head", "stage"], ["head", "stage", "stem"]] * COPIES
    assert found.passed


def test_running_statistics_are_randomised_too_and_variances_stay_positive():
    norm = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6))
    norm[1].running_mean.copy_(torch.arange(6.0))
    norm[1].running_var.copy_(torch.arange(1.0, 7.0))
    tensors = dict(layer_groups(norm))["1"]
    assert [tensor.tolist() for tensor in tensors[2:]] == [[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]]

    def look(model, sequence, target):
        assert sorted(model[1].running_var.tolist()) == [1, 2, 3, 4, 5, 6]
        assert model[1].running_var.tolist() != [1, 2, 3, 4, 5, 6]
        return scaled(np.random.default_rng(0).random(SHAPE))

    shown = scaled(np.random.default_rng(1).random(SHAPE))
    randomisation(norm, look, noise(), shown, EVERYWHERE, 0)


def test_deep_networks_are_randomised_in_few_steps_and_wrapped_ones_unwrapped():
    deep = nn.Sequential(*(nn.Linear(2, 2) for _ in range(9)), nn.ReLU())
    groups = layer_groups(deep)
    assert [name for name, _ in groups] == ["8", "7", "6", "5", "4 + 3 + 2 + 1 + 0"]
    assert len(groups) == STEPS
    assert sum(len(tensors) for _, tensors in groups) == len([*deep.parameters()])
    wrapped = nn.ModuleDict({"net": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))})
    assert [name for name, _ in layer_groups(wrapped)] == ["net.1", "net.0"]
    assert [name for name, _ in layer_groups(Linear())] == ["weights"]


def test_similarity_is_spearmans_and_none_with_a_flat_map():
    one, other = np.random.default_rng(0).random((2, 50))
    assert similarity(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert similarity(one, np.exp(one)) == pytest.approx(1)
    assert similarity(one, np.ones(50)) == 0
