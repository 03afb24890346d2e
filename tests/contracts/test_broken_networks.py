"""What a backbone or explainer may get wrong beyond its shapes is caught, and opting out works."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from echokit import Saliency
from echokit.testing import BackboneContract, ExplainerContract, judge


class Net(nn.Module):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, 4, 3, padding=1)
        self.beside = nn.Conv3d(in_channels, 4, 1)
        self.head = nn.Linear(4, num_classes)

    def forward(self, x):
        return self.head(self.conv(x).relu().mean(dim=(2, 3, 4)))


class ThreeClasses(Net):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(3, in_channels)


class Auxiliary(Net):
    """As Inception: one more output while training."""

    def forward(self, x):
        logits = super().forward(x)
        return (logits, logits) if self.training else logits


class EvalOnly(Net):
    def forward(self, x):
        if self.training:
            raise RuntimeError("export only")
        return super().forward(x)


class Frozen(Net):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.requires_grad_(False)


class Standardising(Net):
    def forward(self, x):
        axes = (1, 2, 3, 4)
        return super().forward(x / x.std(dim=axes, keepdim=True))


class CamBeside(Net):
    """Its layer runs, and the logits know nothing of it."""

    def forward(self, x):
        self.beside(x)
        return super().forward(x)

    def cam_layer(self):
        return self.beside


class CamOnTheWay(Net):
    def cam_layer(self):
        return self.conv


class FirstItem(Net):
    def forward(self, x):
        return super().forward(x[:1]).expand(len(x), -1)


class FirstFrame(Net):
    def forward(self, x):
        return super().forward(x[:, :, :1])


class BeginsOff(Net):
    """A scale of 0, as residual blocks begin with, hides nothing but the frames between."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__(num_classes, in_channels)
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return super().forward(x[:, :, ::2]) + self.scale * super().forward(x)


def verdicts(contract):
    return {verdict.rule: verdict for verdict in judge(contract)}


@pytest.mark.parametrize(
    ("backbone", "rule", "says"),
    [
        (ThreeClasses, "classes", "one logit for each of num_classes=2"),
        (Auxiliary, "training", "In training mode it gave a tuple"),
        (EvalOnly, "training", "raised RuntimeError: export only"),
        (Frozen, "training", "no parameter that requires a gradient"),
        (Standardising, "black", "Black sequences gave logits that are not finite"),
        (CamBeside, "cam layer", "do not rest on the output of cam_layer()"),
        (FirstItem, "gradient", "reaches 1 of 2 sequences"),
        (FirstFrame, "gradient", "reaches 1 of 8 frames"),
    ],
)
def test_a_backbone_that_breaks_one_rule(backbone, rule, says):
    verdict = verdicts(BackboneContract.of(backbone))[rule]
    assert says in (verdict.broken or "")


def test_good_backbones_are_let_through():
    for backbone in (CamOnTheWay, BeginsOff):
        assert all(v.broken is None for v in judge(BackboneContract.of(backbone))), backbone
    assert all(v.kept for v in judge(BackboneContract.of(CamOnTheWay)))
    skipping = BackboneContract.of(FirstFrame, skips_frames=True)
    assert verdicts(skipping)["gradient"].kept


def test_what_a_backbone_does_not_have_is_not_tried():
    verdict = verdicts(BackboneContract.of(Net, has_cam_layer=False))["cam layer"]
    assert not verdict.kept
    assert verdict.broken is None
    assert "no cam_layer()" in (verdict.not_tried or "")


def test_a_cam_layer_that_is_said_and_not_there_is_caught():
    assert verdicts(BackboneContract.of(Net, has_cam_layer=True))["cam layer"].broken
    assert verdicts(BackboneContract.of(CamOnTheWay, has_cam_layer=True))["cam layer"].kept


def test_a_factory_that_raises_is_told_once():
    def fail(num_classes, in_channels):
        raise RuntimeError("no GPU")

    first, *others = judge(BackboneContract.of(fail))
    assert first.broken == "factory(num_classes=3, in_channels=1) raised RuntimeError: no GPU"
    assert all(v.broken is None and v.not_tried for v in others)


# --- explainers --------------------------------------------------------------------------------


def gradient(model, sequence, target):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    x = sequence.detach().clone()[None].requires_grad_()
    with torch.enable_grad():
        (found,) = torch.autograd.grad(model(x)[0, target], x)
    for module, training in modes:
        module.training = training
    values = (found * x).detach().abs()[0].sum(dim=0)
    return Saliency((values / values.max().clamp(min=1e-12)).numpy(), target, "gradient")


def leaves(register):
    def explain(model, sequence, target):
        saliency = gradient(model, sequence, target)
        getattr(next(model.children()), register)(lambda *_: None)
        return saliency

    return explain


def shakes(model, sequence, target):
    torch.randn(3)
    return gradient(model, sequence, target)


def seeds(model, sequence, target):
    torch.manual_seed(0)
    return gradient(model, sequence, target)


def needs_parameters(model, sequence, target):
    parameter = next(model.parameters())
    torch.autograd.grad(model(sequence[None])[0, target], parameter)
    return gradient(model, sequence, target)


def flat_where_gradients_are_off(model, sequence, target):
    found = gradient(model, sequence, target)
    return found if torch.is_grad_enabled() else replace(found, values=0 * found.values)


def either_way():
    """An edge detector that looks at the network for its sign alone."""

    def explain(model, sequence, target):
        values = np.abs(np.diff(sequence[0].numpy(), axis=1, prepend=0)).astype(np.float32)
        values /= values.max()
        up = float(model.head.weight[target].sum()) > 0
        return Saliency(values if up else 1 - values, target, "edges")

    return explain


@pytest.mark.parametrize(
    ("explainer", "rule", "says"),
    [
        (leaves("register_forward_hook"), "model is kept", "left a hook"),
        (leaves("register_forward_pre_hook"), "model is kept", "left a hook"),
        (leaves("register_full_backward_hook"), "model is kept", "left a hook"),
        (leaves("register_full_backward_pre_hook"), "model is kept", "left a hook"),
        (shakes, "generators are kept", "global generator, or seeded it"),
        (seeds, "generators are kept", "global generator, or seeded it"),
        (needs_parameters, "frozen model", "where all parameters are frozen raised RuntimeError"),
        (flat_where_gradients_are_off, "frozen model", "another map where gradients are off"),
    ],
)
def test_an_explainer_that_breaks_one_rule(explainer, rule, says):
    verdict = verdicts(ExplainerContract.of(lambda: explainer))[rule]
    assert says in (verdict.broken or "")


def test_a_good_explainer_keeps_them_all():
    assert all(verdict.kept for verdict in judge(ExplainerContract.of(lambda: gradient)))


def test_the_negative_of_a_map_is_the_same_map():
    verdict = verdicts(ExplainerContract.of(either_way))["randomised model"]
    assert "correlate by" in (verdict.broken or "")
    assert "-1.00" in (verdict.broken or "")
