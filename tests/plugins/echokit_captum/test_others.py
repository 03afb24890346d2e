"""Explainers beyond Grad-CAM: by their axioms, and by hand."""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from echokit import OptionError, UsageError, resolve
from echokit_captum.gradcam import class_activation

OTHERS = (
    "captum-integrated-gradients",
    "captum-gradient-shap",
    "captum-occlusion",
    "captum-guided-gradcam",
)


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Linear(nn.Module):
    """A linear network, of which every attribution is known."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(randn(3, *shape, seed=5))

    def forward(self, x):
        return torch.einsum("bcthw,kcthw->bk", x, self.weight)


class Rectified(nn.Module):
    """A small network with ReLUs in place, as the shipped ones have them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(1, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.stage = nn.Conv3d(6, 8, 3, stride=2, padding=1)
        self.last = nn.ReLU(inplace=True)
        self.head = nn.Linear(8, 3)
        rng = torch.Generator().manual_seed(3)
        for parameter in self.parameters():
            parameter.data.copy_(torch.randn(parameter.shape, generator=rng))

    def forward(self, x):
        x = self.last(self.stage(self.relu(self.stem(x))))
        return self.head(x.mean(dim=(2, 3, 4)))

    def cam_layer(self):
        return self.stage


def scaled(values: torch.Tensor) -> np.ndarray:
    evidence = values.detach().sum(0).clamp(min=0)
    return (evidence / evidence.max()).numpy()


def test_integrated_gradients_are_complete():
    model, sequence = Rectified().eval(), randn(1, 6, 12, 10)
    explain = resolve("explainer", "captum-integrated-gradients", steps=200)
    with torch.no_grad():
        black = torch.full_like(sequence, float(sequence.min()))
        logits = model(torch.stack([sequence, black]))
    for target in range(3):
        total = float(explain.signed(model, sequence, target).sum())
        assert total == pytest.approx(float(logits[0, target] - logits[1, target]), rel=0.02)


@pytest.mark.parametrize("baseline", ["least", "mean", "still", "blurred"])
def test_a_linear_networks_integrated_gradients_are_weight_times_way(baseline):
    sequence = randn(1, 5, 6, 7)
    nothing = {
        "least": torch.full_like(sequence, float(sequence.min())),
        "mean": torch.full_like(sequence, float(sequence.mean())),
        "still": sequence.mean(1, keepdim=True).expand_as(sequence),
        "blurred": torch.from_numpy(blurred_by_opencv(sequence[0].numpy(), 7 / 8))[None],
    }[baseline]
    model = Linear((1, 5, 6, 7))
    explain = resolve("explainer", "captum-integrated-gradients", steps=3, baseline=baseline)
    expected = scaled(model.weight[1] * (sequence - nothing))
    np.testing.assert_allclose(explain(model, sequence, 1).values, expected, atol=1e-5)


def blurred_by_opencv(frames: np.ndarray, sd: float, border: int = cv2.BORDER_REPLICATE):
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sd, borderType=border) for frame in frames])


def test_smooth_maps_are_the_blurred_signed_attributions():
    sequence, model = randn(1, 5, 16, 24), Linear((1, 5, 16, 24))
    rough = resolve("explainer", "captum-integrated-gradients", steps=2)
    smooth = resolve("explainer", "captum-integrated-gradients", steps=2, smooth=1 / 16)
    signed = rough.signed(model, sequence, 0)[0].numpy()
    in_space = blurred_by_opencv(signed, 24 / 16, cv2.BORDER_CONSTANT)
    along = np.exp(-(np.arange(-4, 5) ** 2) / 2)
    along /= along.sum()
    both = np.apply_along_axis(lambda x: np.convolve(x, along)[4:-4], 0, in_space)
    expected = both.clip(0) / both.max()
    np.testing.assert_allclose(smooth(model, sequence, 0).values, expected, atol=1e-3)
    assert not np.allclose(rough(model, sequence, 0).values, expected, atol=0.1)


def test_a_linear_networks_gradient_shap_is_weight_times_the_mean_way():
    sequence, model = randn(1, 4, 5, 6), Linear((1, 4, 5, 6))
    explain = resolve("explainer", "captum-gradient-shap", samples=4000, noise=0.0, batch=500)
    nothing = (sequence.min() + sequence.mean()) / 2
    attribution = explain.signed(model, sequence, 2)
    np.testing.assert_allclose(
        attribution, (model.weight[2] * (sequence - nothing)).detach(), atol=0.15
    )


def test_gradient_shap_leaves_the_global_generators_alone():
    model, sequence = Rectified().eval(), randn(1, 4, 8, 8)
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    explain = resolve("explainer", "captum-gradient-shap", samples=5, batch=2)
    first, second = explain(model, sequence, 0).values, explain(model, sequence, 0).values
    other = resolve("explainer", "captum-gradient-shap", samples=5, batch=2, seed=1)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other(model, sequence, 0).values)
    assert torch.equal(torch_before, torch.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])  # noqa: NPY002


def test_occlusion_is_the_loop_over_hidden_blocks():
    model, sequence = Rectified().eval(), randn(1, 4, 8, 12)
    explain = resolve("explainer", "captum-occlusion", frames=2, cells=4, batch=3)
    attribution = explain.signed(model, sequence, 1)[0]
    total, times = torch.zeros(4, 8, 12), torch.zeros(4, 8, 12)
    with torch.no_grad():
        whole = model(sequence[None])[0, 1]
        for t, y, x in product(range(3), range(7), range(10)):
            block = (slice(t, t + 2), slice(y, y + 2), slice(x, x + 3))
            hidden = sequence.clone()
            hidden[(0, *block)] = sequence.min()
            total[block] += whole - model(hidden[None])[0, 1]
            times[block] += 1
    np.testing.assert_allclose(attribution, total / times, atol=1e-5)


PASSES = {
    "captum-gradcam": ({}, 1),
    "captum-hirescam": ({}, 1),
    "captum-guided-gradcam": ({}, 2),
    "captum-integrated-gradients": ({"steps": 6}, 6),
    "captum-gradient-shap": ({"samples": 5, "batch": 2}, 5),
    "captum-occlusion": ({"frames": 2, "cells": 3}, None),
}


@pytest.mark.parametrize("shape", [(1, 5, 8, 8), (1, 2, 9, 7), (1, 1, 8, 8)])
@pytest.mark.parametrize("name", PASSES)
def test_it_says_how_often_it_runs_the_network(name, shape):
    options, forward = PASSES[name]
    explainer, model, seen = resolve("explainer", name, **options), Rectified().eval(), []
    model.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    explainer(model, randn(*shape), 1)
    said = explainer.passes(shape)
    if forward is None:
        assert said == sum(seen)
    else:  # as often backward
        assert (sum(seen), said) == (forward, 2 * forward)


def test_guided_gradcam_is_guided_backpropagation_by_hand_times_the_map():
    model, sequence = Rectified().eval(), randn(1, 5, 9, 11)
    coarse = class_activation(model, model.stage, sequence, 2)
    where = torch.nn.functional.interpolate(coarse[None, None], size=(5, 9, 11), mode="trilinear")
    values = resolve("explainer", "captum-guided-gradcam")(model, sequence, 2).values
    expected = scaled(by_hand(model, sequence, 2) * where[0])
    np.testing.assert_allclose(values, expected, atol=1e-5)
    assert all(m.inplace for m in model.modules() if isinstance(m, nn.ReLU))


def by_hand(model: Rectified, sequence: torch.Tensor, target: int) -> torch.Tensor:
    """Guided backpropagation written out for the two ReLUs of `Rectified`."""
    with torch.no_grad():
        first = model.stem(sequence[None])
        second = model.stage(first.relu())
        _, _, t, h, w = second.shape
        gradient = model.head.weight[target].reshape(1, -1, 1, 1, 1).expand_as(second)
        gradient = (gradient / (t * h * w)).clamp(min=0) * (second > 0)
    stage = nn.functional.conv_transpose3d
    shape = first.shape[2:]
    odd = [size - ((reduced - 1) * 2 + 1) for size, reduced in zip(shape, (t, h, w), strict=True)]
    with torch.no_grad():
        back = stage(gradient, model.stage.weight, stride=2, padding=1, output_padding=odd)
        back = back.clamp(min=0) * (first > 0)
        return stage(back, model.stem.weight, padding=1)[0]


@pytest.mark.parametrize("name", OTHERS)
def test_a_class_that_is_not_there_is_refused(name):
    with pytest.raises(UsageError, match="Class 3 cannot be explained"):
        resolve("explainer", name)(Rectified().eval(), randn(1, 4, 8, 8), 3)


@pytest.mark.parametrize("name", OTHERS)
def test_single_frames_and_inference_mode_are_no_obstacle(name):
    model = Rectified().eval()
    with torch.inference_mode():
        saliency = resolve("explainer", name)(model, randn(1, 1, 9, 8), 0)
    assert saliency.values.shape == (1, 9, 8)
    assert saliency.values.max() > 0


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("captum-integrated-gradients", {"steps": 0}, "steps=0"),
        (
            "captum-integrated-gradients",
            {"baseline": "white"},
            "one of least, mean, still, blurred",
        ),
        ("captum-occlusion", {"cells": 0}, "cells=0"),
        ("captum-gradient-shap", {"noise": -1.0}, "noise=-1"),
    ],
)
def test_options_out_of_range_are_refused(name, options, says):
    with pytest.raises(OptionError, match=says):
        resolve("explainer", name, **options)
