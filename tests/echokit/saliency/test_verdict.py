"""Saliency maps whose merit is known: right, reversed, blind to the network, flat."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from saliency_probes import (
    SHAPE,
    Convolutional,
    Linear,
    edges,
    gradient,
    scaled,
)
from torch import nn

from echokit import Saliency
from echokit.plugins.registry import resolve
from echokit.saliency.perturbation import Curve, Gap
from echokit.saliency.randomisation import Randomisation
from echokit.saliency.verdict import (
    CURVES,
    FLAT,
    SAME,
    SECTOR,
    STAYS,
    STRUCTURES,
    MapChecks,
    check_map,
    network_verdict,
    verdict,
)


def nothing(model, sequence, target):
    return Saliency(np.zeros(SHAPE, np.float32), target, "nothing")


def test_a_reversed_map_is_flagged_for_what_it_marks(sequence):
    def wrong(model, sequence, target):
        return scaled(1 - gradient(model, sequence, target).values, target)

    right = check_map(Linear(), gradient, sequence, gradient(Linear(), sequence, 1), None, 0)
    assert verdict(right, {}).passed
    found = check_map(Linear(), wrong, sequence, wrong(Linear(), sequence, 1), None, 0)
    [reason] = verdict(found, {}).reasons
    assert "moved elsewhere" in reason


def test_an_edge_detector_fails_the_randomisation_and_is_told_so(sequence):
    found = check_map(Linear(), edges, sequence, edges(Linear(), sequence, 1), None, 0)
    assert found.randomisation.similarity == pytest.approx([1.0])
    assert found.randomisation.passed is False
    assert any("replaced by random numbers" in reason for reason in verdict(found, {}).reasons)


def test_grad_cam_of_a_network_that_sees_passes(sequence):
    network, gradcam = Convolutional().eval(), resolve("explainer", "captum-gradcam")
    found = check_map(network, gradcam, sequence, gradcam(network, sequence, 1), None, 0)
    assert found.randomisation.layers == ("head", "stage", "stem")
    assert found.randomisation.passed
    assert found.gap.p == 0.05
    assert verdict(found, {}).passed


@pytest.mark.slow
@pytest.mark.parametrize("make", [Convolutional, nn.Module], ids=["sees", "untrained"])
def test_maps_of_noise_are_flagged_nine_times_of_ten(make, sequence, smooth_noise):
    if make is nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            conv = (nn.Conv3d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv3d(8, 16, 3, 2, 1), nn.ReLU())
            network = nn.Sequential(*conv, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(16, 2))
    else:
        network = make()
    passed = 0
    for seed in range(60):
        shown = smooth_noise(None, None, 1)
        found = check_map(network, smooth_noise, sequence, shown, None, seed)
        passed += verdict(found, {}).passed
    assert passed <= 6, passed


def test_a_network_is_flagged_if_fewer_than_half_of_its_maps_pass():
    def flagged(*passed):
        return network_verdict(passed).flagged

    assert flagged(True, False, False) is True
    assert flagged(True, True, False) is flagged(True, False) is False
    assert flagged() is None
    assert asdict(network_verdict([True])) == {"maps": 1, "passed": 1, "flagged": False}


def test_a_flat_map_is_its_own_reason(sequence):
    found = check_map(Linear(), nothing, sequence, nothing(None, sequence, 1), None, 0)
    assert found.flat is True
    assert found.randomisation is found.deletion is found.insertion is found.gap is None
    [reason] = verdict(found, {"sector": 1.0}).reasons
    assert "same everywhere" in reason


def test_a_map_without_contrast_inside_the_sector_is_flat(sequence):
    values = np.zeros(SHAPE, np.float32)
    values[:, 0, 0] = 1
    sector = np.ones(SHAPE[1:], bool)
    sector[0, 0] = False
    found = check_map(Linear(), nothing, sequence, Saliency(values, 1, "test"), sector, 0)
    assert found.flat is True


def test_the_checks_leave_the_network_as_it_was(sequence):
    network = Convolutional()
    network.stem.eval()
    before = deepcopy(network.state_dict()), [m.training for m in network.modules()]
    gradcam, state = resolve("explainer", "captum-gradcam"), torch.get_rng_state()
    check_map(network, gradcam, sequence, gradcam(network, sequence, 1), None, 0)
    assert all(torch.equal(a, before[0][name]) for name, a in network.state_dict().items())
    assert [m.training for m in network.modules()] == before[1]
    assert torch.equal(torch.get_rng_state(), state), "drawn from the global generator"


def test_the_checks_repeat_and_depend_on_the_seed(sequence):
    network, gradcam = Convolutional().eval(), resolve("explainer", "captum-gradcam")
    shown = gradcam(network, sequence, 1)
    one, same, other = (check_map(network, gradcam, sequence, shown, None, s) for s in (5, 5, 6))
    assert one == same
    assert one.as_json() == json.loads(json.dumps(one.as_json()))
    assert one.randomisation.similarity != other.randomisation.similarity
    assert one.deletion.chance != other.deletion.chance


PASSING = MapChecks(
    flat=False,
    randomisation=Randomisation(("head",), (0.1,), differs=True, falls=True, passed=True),
    deletion=Curve((), (), 0.2, 0.5, 0.1),
    insertion=Curve((), (), 0.6, 0.5, 0.1),
    gap=Gap(0.4, 0.0, 0.1, 0.05),
    shuffle=None,
)
RANDOM = Randomisation(("head",), (0.9,), differs=False, falls=False, passed=False)
STABLE = Randomisation(("head",), (0.4,), differs=True, falls=False, passed=False)
P = {"sector": 0.01, "structures": 0.25}


@pytest.mark.parametrize(
    ("change", "p", "reason"),
    [
        ({}, {}, None),
        ({"flat": True}, {}, FLAT),
        ({"randomisation": RANDOM}, {}, SAME),
        ({"randomisation": STABLE}, {}, STAYS),
        ({"gap": Gap(0.4, 0.0, 0.1, 0.1)}, {}, CURVES),
        ({"gap": Gap(0.004, 0.0, 0.1, 0.05)}, {}, CURVES),
        ({}, {"sector": 0.3}, SECTOR),
        ({}, {"structures": 0.3}, STRUCTURES),
    ],
)
def test_the_verdict_follows_its_rules(change, p, reason):
    found = verdict(replace(PASSING, **change), P | p)
    assert found.passed is (reason is None)
    assert found.reasons == (() if reason is None else (reason,))


def test_what_was_not_measured_does_not_count():
    assert verdict(PASSING, {}).passed
    assert verdict(MapChecks(False, None, None, None, None, None), {}).passed
