"""Features of networks: the input of the last linear layer, of every backbone there is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from echokit import resolve
from echokit.engines.eager import run_eagerly
from echokit.engines.onnx_runtime import ONNX_RUNTIME
from echokit.engines.open_vino import OPENVINO
from echokit.networks.features import with_features
from echokit.plugins.registry import registry


def seen_by_a_hook(network, layer, x):
    caught = []
    hook = layer.register_forward_hook(lambda module, inputs, output: caught.append(inputs[0]))
    with torch.inference_mode():
        logits = network(x)
    hook.remove()
    return logits, caught[-1]


def test_they_are_the_input_of_the_last_linear_layer(parts):
    network, x = parts.backbone(3, 1).eval(), torch.rand(4, 1, 6, 16, 16)
    changed = with_features(network, x)
    logits, features = changed(x)
    expected, caught = seen_by_a_hook(network, network[-1], x)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(features, caught)
    assert isinstance(network[-1], nn.Linear), "the network itself stays as it was"
    assert next(changed.parameters()) is next(network.parameters()), "and shares its weights"


class FramesThenMean(nn.Module):
    """A linear layer on each frame, and the mean of the frames' logits."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        frames = x.mean(dim=1).flatten(2)[..., :16]
        return self.head(frames).mean(dim=1)


def test_of_a_layer_on_frames_they_are_the_mean():
    network, x = FramesThenMean().eval(), torch.rand(4, 1, 6, 16, 16)
    logits, features = with_features(network, x)(x)
    torch.testing.assert_close(logits, network(x))
    torch.testing.assert_close(features, x.mean(dim=1).flatten(2)[..., :16].mean(dim=1))


class Softened(FramesThenMean):
    def forward(self, x):
        return torch.log_softmax(super().forward(x), dim=1)


class WithoutLinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(1, 3, 3)

    def forward(self, x):
        return self.conv(x).mean(dim=(2, 3, 4))


@pytest.mark.parametrize("make", [Softened, WithoutLinear])
def test_a_network_whose_features_cannot_be_read_gives_none(make):
    assert with_features(make().eval(), torch.rand(2, 1, 6, 16, 16)) is None


SMALL = {
    "pytorchvideo-r2plus1d-18": {"width": 4},
    "torchvision-resnet-18": {"width": 4},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_every_engine_gives_them_beside_the_same_logits(name, tmp_path):
    k = 1 if name.startswith("torchvision") else 4
    torch.manual_seed(0)
    network = resolve("backbone", name, num_classes=3, in_channels=1, **SMALL[name]).eval()
    x = torch.rand(3, 1, k, 32, 32)
    changed = with_features(network, x)
    expected, features = run_eagerly(changed).both(x.numpy())
    assert features.shape == (3, 32)
    for engine in (ONNX_RUNTIME, OPENVINO):
        if engine.version is None:
            continue
        file = tmp_path / engine.file
        engine.convert(changed, x.numpy(), file)
        running = engine.load(file, "exact")
        np.testing.assert_allclose(running.forward(x.numpy()), expected, atol=1e-4)
        logits, given = running.both(x.numpy())
        np.testing.assert_allclose(logits, expected, atol=1e-4)
        np.testing.assert_allclose(given, features, atol=1e-4)
        engine.convert(network, x.numpy(), file)
        assert engine.load(file, "exact").both is None


def test_backbones_of_first_party_plugins_have_features():
    names = [one.name for one in registry().of_kind("backbone")]
    assert set(SMALL) <= set(names)
