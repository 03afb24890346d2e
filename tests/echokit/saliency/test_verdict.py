"""Saliency maps whose merit is known: right, reversed, blind to the network, flat."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from sklearn.metrics import auc
from torch import nn

from echokit import Clip, Saliency
from echokit.plugins.registry import resolve
from echokit.saliency.explain import compare_places
from echokit.saliency.moved_maps import against, moved
from echokit.saliency.perturbation import (
    AT,
    PIECES,
    blur,
    deletion_insertion,
    frame_order,
    order_effect,
    pieces,
    probabilities,
    shuffled,
)
from echokit.saliency.randomisation import (
    COPIES,
    STEPS,
    falling,
    layer_groups,
    randomisation,
    similarity,
)
from echokit.saliency.verdict import check_map, judge_network, verdict

SHAPE = (8, 24, 24)
EVERYWHERE = np.ones(SHAPE, bool)


class Linear(nn.Module):
    """Class 1 for brightness in a known box; what it looks at is its own weights."""

    def __init__(self) -> None:
        super().__init__()
        weights = torch.zeros(2, *SHAPE)
        weights[1, 2:6, 6:12, 3:9] = 0.02
        self.weights = nn.Parameter(weights)

    def forward(self, sequences):
        return torch.einsum("bcthw,kthw->bk", sequences - 0.5, self.weights) * 10


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


class Convolutional(nn.Module):
    """Hand-made: class 1 for something bright; half of its features are noise that it ignores."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(4)
        conv = nn.Conv3d(1, 8, 3, (1, 2, 2), 1, bias=False)
        self.stem = nn.Sequential(conv, nn.BatchNorm3d(8), nn.ReLU())
        self.stage = nn.Sequential(nn.Conv3d(8, 16, 3, (2, 2, 2), 1), nn.ReLU())
        self.head = nn.Linear(16, 2)
        with torch.no_grad():
            for tensor in self.parameters():
                if tensor.ndim > 1:
                    tensor.copy_(torch.randn(tensor.shape, generator=rng) * 0.1)
            conv.weight[:4] = 1 / 27  # the mean around a voxel, and of it what exceeds a half
            self.stem[1].bias[:4] = -0.5
            self.stage[0].weight[:8, :4] = 1
            self.head.weight[1, :8], self.head.weight[:, 8:] = 0.4, 0
            self.head.weight[0], self.head.bias[1] = 0, -2

    def forward(self, sequences):
        return self.head(self.stage(self.stem(sequences)).mean(dim=(2, 3, 4)))

    def cam_layer(self):
        return self.stage


def gradient(model, sequence, target):
    """Right for a linear model: weight times contribution."""
    seen = sequence[None].clone().requires_grad_()
    (slope,) = torch.autograd.grad(model(seen)[0, target], seen)
    return scaled(slope[0, 0].clamp(min=0).numpy(), target)


def edges(model, sequence, target):
    """A map that never asks the network."""
    _, rows, columns = np.gradient(sequence[0].numpy())
    return scaled(np.hypot(rows, columns), target)


def nothing(model, sequence, target):
    return Saliency(np.zeros(SHAPE, np.float32), target, "nothing")


def scaled(values, target=1):
    return Saliency((values / values.max()).astype(np.float32), target, "test")


def noise(seed=0, frames=SHAPE[0]):
    return torch.rand(1, frames, *SHAPE[1:], generator=torch.Generator().manual_seed(seed)) * 0.2


@pytest.fixture
def sequence():
    """Dim noise, and a bright box where `Linear` looks."""
    sequence = noise()
    sequence[0, 2:6, 6:12, 3:9] = 1
    return sequence


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
    steps = np.round(values.size * np.array(AT)).astype(int)
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


def test_a_reversed_map_is_flagged_for_what_it_marks(sequence):
    def wrong(model, sequence, target):
        return scaled(1 - gradient(model, sequence, target).values, target)

    right = check_map(Linear(), gradient, sequence, gradient(Linear(), sequence, 1), None, 0)
    assert verdict(right).passed
    found = check_map(Linear(), wrong, sequence, wrong(Linear(), sequence, 1), None, 0)
    [reason] = verdict(found).reasons
    assert "moved elsewhere" in reason


def test_an_edge_detector_fails_the_randomisation_and_is_told_so(sequence):
    found = check_map(Linear(), edges, sequence, edges(Linear(), sequence, 1), None, 0)
    assert found["randomisation"]["similarity"] == pytest.approx([1.0])
    assert found["randomisation"]["passed"] is False
    assert any("replaced by random numbers" in reason for reason in verdict(found).reasons)


def test_grad_cam_of_a_network_that_sees_passes(sequence):
    network, gradcam = Convolutional().eval(), resolve("explainer", "captum-gradcam")
    found = check_map(network, gradcam, sequence, gradcam(network, sequence, 1), None, 0)
    assert found["randomisation"]["layers"] == ["head", "stage", "stem"]
    assert found["randomisation"]["passed"]
    assert found["gap"]["p"] == 0.05
    assert verdict(found).passed


def test_a_map_that_changes_its_sign_alone_is_the_same_map(sequence):
    def signed(model, sequence, target):
        values = edges(model, sequence, target).values
        return scaled(values if model.weights.sum() > 0 else 1 - values, target)

    shown = signed(Linear(), sequence, 1)
    found = randomisation(Linear(), signed, sequence, shown, EVERYWHERE, 0)
    assert found.similarity == pytest.approx([1.0])
    assert (found.differs, found.passed) == (False, False)


@pytest.fixture
def smooth_noise():
    """Maps that say nothing, another at each call, as smooth as Grad-CAM's."""
    rng = np.random.default_rng(0)

    def explain(model, sequence, target):
        values = gaussian_filter(rng.standard_normal(SHAPE), (1.5, 3, 3), mode="reflect")
        return scaled(values.clip(0), target)

    return explain


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
        passed += verdict(found).passed
    assert passed <= 6, passed


def test_the_share_of_noise_that_passes_the_curves_is_the_level(curves, smooth_noise):
    p = [curves(smooth_noise(None, None, 1).values)[2].p for _ in range(200)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(p) == pytest.approx(0.525, abs=0.07), "of twenty ranks, all alike"


def test_a_moved_map_keeps_its_values_and_its_smoothness_without_a_seam():
    ramp = np.arange(np.prod(SHAPE), dtype=float).reshape(SHAPE)
    for one in moved(ramp, 20, np.random.default_rng(0)):
        assert one.shape == SHAPE
        assert np.isin(one, ramp).all()
        for axis in range(3):
            most = np.abs(np.diff(ramp, axis=axis)).max()
            assert np.abs(np.diff(one, axis=axis)).max() <= most
    single = np.random.default_rng(1).random((1, 5, 5))
    assert next(moved(single, 1, np.random.default_rng(0))).shape == (1, 5, 5)


def test_the_rank_counts_the_map_itself_and_ties_against_it():
    found = against(2.0, np.array([1.0, 2.0, 3.0]))
    assert (found.mean, found.sd, found.p) == (2.0, 1.0, 0.75)
    assert against(4.0, np.zeros(19)).p == 0.05


def test_a_map_on_a_structure_beats_its_moved_copies_and_one_beside_it_does_not():
    structures = np.zeros(SHAPE, np.uint8)
    structures[2:6, 6:12, 6:12] = 1
    sector = np.zeros(SHAPE[1:], bool)
    sector[2:20, 2:20] = True
    clip = Clip(np.zeros(SHAPE, np.uint8), None, None, None, sector, structures, ("wall",))
    on = compare_places(gaussian_filter((structures == 1).astype(float), 1), clip, 0)
    assert on["structures"]["p"] <= 0.05
    assert on["structures"]["energy"] > on["structures"]["chance"] + 2 * on["structures"]["sd"]
    assert on["sector"]["p"] <= 0.25
    beside = np.zeros(SHAPE)
    beside[:, 20:, 20:] = 1
    off = compare_places(beside, clip, 0)
    assert (off["sector"]["p"], off["structures"]["p"]) == (1.0, 1.0)
    assert compare_places(beside, Clip(clip.frames), 0) == {}


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


def test_a_network_is_flagged_if_fewer_than_half_of_its_maps_pass():
    def flagged(*passed):
        return judge_network({"passed": one} for one in passed)["flagged"]

    assert flagged(True, False, False) is True
    assert flagged(True, True, False) is flagged(True, False) is False
    assert flagged() is None
    assert judge_network([{"passed": True}]) == {"maps": 1, "passed": 1, "flagged": False}


def test_a_flat_map_is_its_own_reason(sequence):
    found = check_map(Linear(), nothing, sequence, nothing(None, sequence, 1), None, 0)
    assert found["flat"] is True
    assert found["randomisation"] is found["deletion"] is found["insertion"] is found["gap"] is None
    [reason] = verdict(found | {"places": {"sector": {"p": 1.0}}}).reasons
    assert "same everywhere" in reason


def test_a_map_without_contrast_inside_the_sector_is_flat(sequence):
    values = np.zeros(SHAPE, np.float32)
    values[:, 0, 0] = 1
    sector = np.ones(SHAPE[1:], bool)
    sector[0, 0] = False
    found = check_map(Linear(), nothing, sequence, Saliency(values, 1, "test"), sector, 0)
    assert found["flat"] is True


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
    assert one == same == json.loads(json.dumps(one))
    assert one["randomisation"]["similarity"] != other["randomisation"]["similarity"]
    assert one["deletion"]["chance"] != other["deletion"]["chance"]


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


FINE = {
    "flat": False,
    "sector": {"energy": 0.9, "area": 0.5},
    "structures": {"septum": {"energy": 0.3, "area": 0.1}},
    "places": {"sector": {"p": 0.01}, "structures": {"p": 0.25}},
    "randomisation": {"similarity": [0.1], "differs": True, "falls": True, "passed": True},
    "deletion": {"curve": [], "auc": 0.2, "chance": 0.5},
    "insertion": {"curve": [], "auc": 0.6, "chance": 0.5},
    "gap": {"value": 0.4, "chance": 0.0, "sd": 0.1, "p": 0.05},
    "shuffle": None,
}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, None),
        ({"flat": True}, "same everywhere"),
        ({"randomisation": {"differs": False, "falls": False}}, "random numbers: it shows"),
        ({"randomisation": {"differs": True, "falls": False}}, "less like itself"),
        ({"gap": {"value": 0.4, "chance": 0.0, "p": 0.1}}, "does not rest on"),
        ({"gap": {"value": 0.004, "chance": 0.0, "p": 0.05}}, "does not rest on"),
        ({"places": {"sector": {"p": 0.3}}}, "scanning sector"),
        ({"places": {"structures": {"p": 0.3}}}, "known structures"),
        ({"places": {}}, None),
        (dict.fromkeys(FINE), None),
    ],
)
def test_the_verdict_follows_its_rules(change, word):
    found = verdict(FINE | change)
    assert found.passed is (word is None)
    assert len(found.reasons) == (word is not None)
    assert all(word in reason for reason in found.reasons)
