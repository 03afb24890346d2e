"""Grad-CAM over space and time: against pytorch-grad-cam, and on nets that look at one place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from echokit import DataError, PluginError, UsageError, resolve

GRADCAM = resolve("explainer", "captum-gradcam")


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Tiny(nn.Module):
    """A random 3D net with three classes whose feature map is `shrink` times smaller."""

    def __init__(self, shrink: int = 1, inplace: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 6, 3, stride=shrink, padding=1)
        self.relu = nn.ReLU(inplace)
        self.drop = nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(6)
        self.head = nn.Linear(6, 3)
        rng = torch.Generator().manual_seed(3)
        for parameter in self.parameters():
            parameter.data.copy_(torch.randn(parameter.shape, generator=rng))

    def forward(self, x):
        features = self.drop(self.relu(self.conv(x)))
        return self.head(self.norm(features.mean(dim=(2, 3, 4))))

    def cam_layer(self):
        return self.conv


class Spot(nn.Module):
    """Class 0 rests on early frames at the top right, class 1 on late ones at the bottom left."""

    def __init__(self, frames: int, height: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 2, 1, bias=False)
        nn.init.ones_(self.conv.weight)
        where = torch.zeros(2, frames, height, width)
        where[0, : frames // 3, : height // 4, -width // 4 :] = 1
        where[1, -frames // 3 :, -height // 4 :, : width // 4] = 1
        self.register_buffer("where", where)
        self.looked = nn.Identity()

    def forward(self, x):
        return self.looked(self.conv(x) * self.where).mean(dim=(2, 3, 4))

    def cam_layer(self):
        return self.looked


def r2plus1d(width: int) -> nn.Module:
    """The paper's backbone with the same weights every time, whose maps are not zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = resolve(
            "backbone", "pytorchvideo-r2plus1d-18", num_classes=3, in_channels=1, width=width
        )
    return model.eval()


def oracle_maps(model: nn.Module, layer: nn.Module, x: torch.Tensor, target: int):
    """pytorch-grad-cam's map, both enlarged by itself and at the layer's own size."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    targets = [ClassifierOutputTarget(target)]
    with GradCAM(model=model, target_layers=[layer]) as cam:
        full = cam(input_tensor=x[None], targets=targets)[0]
        hooks = cam.activations_and_grads
        activations, gradients = hooks.activations[0].numpy(), hooks.gradients[0].numpy()
        coarse = cam.get_cam_image(x[None], layer, targets, activations, gradients)[0]
    return full, np.maximum(coarse, 0)


@pytest.mark.parametrize("target", [0, 1, 2])
def test_equals_pytorch_grad_cam(target):
    """On a layer of the sequence's own size, so that no interpolation stands between them."""
    model, x = Tiny().eval(), randn(1, 5, 12, 17)
    full, _ = oracle_maps(model, model.conv, x, target)
    np.testing.assert_allclose(GRADCAM(model, x, target).values, full, atol=1e-5)


@pytest.mark.parametrize("target", [0, 2])
def test_equals_pytorch_grad_cam_on_the_papers_backbone(target):
    model = r2plus1d(width=8)
    x = randn(1, 12, 64, 80)
    _, coarse = oracle_maps(model, model.stage4, x, target)
    assert coarse.shape == (2, 4, 5)
    assert coarse.max() > 0
    fine = F.interpolate(torch.tensor(coarse)[None, None], (12, 64, 80), mode="trilinear")[0, 0]
    expected = (fine - fine.min()) / (fine.max() - fine.min())
    np.testing.assert_allclose(GRADCAM(model, x, target).values, expected, atol=1e-4)


@pytest.mark.parametrize("target", [0, 1, 2])
def test_hirescam_equals_pytorch_grad_cam(target):
    from pytorch_grad_cam import HiResCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model, x = Tiny().eval(), randn(1, 5, 12, 17)
    with HiResCAM(model=model, target_layers=[model.conv]) as cam:
        full = cam(input_tensor=x[None], targets=[ClassifierOutputTarget(target)])[0]
    saliency = resolve("explainer", "captum-hirescam")(model, x, target)
    np.testing.assert_allclose(saliency.values, full, atol=1e-5)
    assert saliency.method == "captum-hirescam"


def test_hirescam_is_grad_cam_where_pooling_and_a_linear_layer_follow():
    model, x = r2plus1d(width=8), randn(1, 12, 64, 80)
    hirescam = resolve("explainer", "captum-hirescam")
    np.testing.assert_allclose(hirescam(model, x, 1).values, GRADCAM(model, x, 1).values, atol=1e-5)
    finer = [
        resolve("explainer", name, layer="stage2") for name in ("captum-gradcam", "captum-hirescam")
    ]
    assert np.abs(finer[0](model, x, 1).values - finer[1](model, x, 1).values).max() > 0.1


def test_hirescam_marks_one_place_where_grad_cams_mean_marks_two():
    """Two places excite one channel alike, and only one of them speaks for the class."""
    model = Spot(6, 8, 8)
    x = torch.zeros(1, 6, 8, 8)
    x[0, :2, :2, -2:] = x[0, -2:, -2:, :2] = 1
    model.cam_layer = lambda: model.conv
    values = resolve("explainer", "captum-hirescam")(model, x, 0).values
    assert values[0, 0, -1] == 1
    assert values[-1, -1, 0] == 0
    assert GRADCAM(model, x, 0).values[-1, -1, 0] == 1


@pytest.mark.parametrize("target", [0, 1])
def test_saliency_lies_where_and_when_the_signal_is_not_transposed(target):
    """Regression: the research code's maps were transposed and not brought back to time."""
    frames, height, width = 12, 20, 28
    model = Spot(frames, height, width)
    values = GRADCAM(model, torch.ones(1, frames, height, width), target).values
    assert values.shape == (frames, height, width)
    np.testing.assert_array_equal(values, model.where[target].numpy())


def test_a_coarse_map_is_enlarged_about_the_right_place_and_time():
    model = Spot(12, 20, 28)
    model.looked = nn.AvgPool3d((3, 4, 4))
    values = GRADCAM(model, torch.ones(1, 12, 20, 28), 0).values
    assert values.shape == (12, 20, 28)
    t, y, x = (
        (values * axis).sum() / values.sum() for axis in np.indices(values.shape, dtype=np.float64)
    )
    assert t < 4  # the signal: frames 0-3, rows 0-4, columns 21-27
    assert y < 5
    assert x > 20


def test_frames_compare_by_the_scale_of_the_whole_sequence():
    model = Spot(12, 20, 28)
    fading = torch.ones(1, 12, 20, 28) * torch.linspace(1, 0.1, 12)[None, :, None, None]
    peaks = GRADCAM(model, fading, 0).values.max(axis=(1, 2))
    np.testing.assert_allclose(peaks[:4], np.linspace(1, 0.1, 12)[:4], atol=1e-6)


def test_classes_have_maps_of_their_own():
    model, x = Tiny(shrink=2).eval(), randn(1, 6, 16, 16)
    maps = [GRADCAM(model, x, target) for target in range(3)]
    assert [m.target for m in maps] == [0, 1, 2]
    assert all(m.values.dtype == np.float32 and m.method == "captum-gradcam" for m in maps)
    assert all(m.values.min() == 0 and m.values.max() == 1 for m in maps)
    assert min(np.abs(maps[i].values - maps[j].values).max() for i, j in [(0, 1), (1, 2)]) > 0.1


@pytest.mark.parametrize("inplace", [False, True])
def test_a_map_does_not_depend_on_activations_that_work_in_place(inplace):
    x = randn(1, 4, 9, 11)
    expected = GRADCAM(Tiny(), x, 1).values
    np.testing.assert_array_equal(GRADCAM(Tiny(inplace=inplace), x, 1).values, expected)


def test_a_constant_map_is_zeros():
    """Nothing speaks for the class; or one coarse cell, of which enlarging would make noise."""
    model = Spot(6, 8, 8)
    assert not GRADCAM(model, -torch.ones(1, 6, 8, 8), 0).values.any()
    model = Tiny().eval()
    model.relu = nn.AdaptiveAvgPool3d(1)
    for seed in range(5):
        values = resolve("explainer", "captum-gradcam", layer="relu")(
            model, randn(1, 7, 13, 11, seed=seed), seed % 3
        ).values
        assert not values.any()


@pytest.mark.parametrize("training", [False, True])
def test_the_model_is_left_as_it_was_and_explained_in_eval_mode(training):
    model, x = Tiny(), randn(1, 5, 8, 8)
    expected = GRADCAM(model.eval(), x, 1).values
    model.train(training)
    model.drop.eval()
    model.conv.weight.requires_grad_(False)
    model.head.weight.grad = torch.full_like(model.head.weight, 7.0)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    np.testing.assert_array_equal(GRADCAM(model, x, 1).values, expected)

    assert (model.training, model.conv.training, model.drop.training) == (training, training, False)
    assert [p.requires_grad for p in model.parameters()].count(False) == 1
    assert (model.head.weight.grad == 7).all()
    assert model.conv.bias.grad is None
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert not x.requires_grad


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off_and_for_a_frozen_model(context):
    model, x = Tiny().requires_grad_(False), randn(1, 5, 8, 8)
    expected = GRADCAM(model, x, 1).values
    with context():
        np.testing.assert_array_equal(GRADCAM(model, x.clone(), 1).values, expected)


def test_a_layer_can_be_named():
    model, x = r2plus1d(width=4), randn(1, 4, 24, 24)
    by_name = resolve("explainer", "captum-gradcam", layer="stage4")(model, x, 0).values
    np.testing.assert_array_equal(by_name, GRADCAM(model, x, 0).values)
    assert (
        resolve("explainer", "captum-gradcam", layer="stage2")(model, x, 0).values != by_name
    ).any()


def test_a_model_that_names_no_layer_is_told_what_to_do():
    model = nn.Sequential(nn.Conv3d(1, 2, 3), nn.Flatten(), nn.Linear(16, 2))
    with pytest.raises(PluginError, match=r"Sequential .*`cam_layer\(\)`.*`layer`.*0, 1, 2"):
        GRADCAM(model, randn(1, 4, 4, 4), 0)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("convv", "no module 'convv'.*conv, relu, drop"),
        ("norm", r"gives \(1, 6\).*\(1, C', T', H', W'\)"),
        ("unused", "does not run"),
    ],
)
def test_a_layer_that_cannot_serve_is_refused(layer, words):
    model = Tiny()
    model.unused = nn.Identity()
    with pytest.raises(PluginError, match=words):
        resolve("explainer", "captum-gradcam", layer=layer)(model, randn(1, 4, 8, 8), 0)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("target", [-1, 3])
def test_a_class_the_model_does_not_have_is_refused(target):
    with pytest.raises(UsageError, match=rf"Class {target} .*\(1, 3\)"):
        GRADCAM(Tiny(), randn(1, 4, 8, 8), target)


def test_weights_that_are_not_numbers_are_refused():
    model = Tiny()
    model.head.weight.data[0] = torch.nan
    with pytest.raises(DataError, match="not finite"):
        GRADCAM(model, randn(1, 4, 8, 8), 0)
