"""Backbones on a frozen encoder: it sees what it saw before, and only the head learns."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from echokit import OptionError, SupportsCam, read_weights, resolve

CLASSES = 3


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def rand(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def made(name: str, in_channels: int = 1, **options: object) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: nn.Module = resolve(
            "backbone", name, num_classes=CLASSES, in_channels=in_channels, **options
        )
    return network.eval()


@pytest.fixture(scope="module")
def mvit(tmp_path_factory):
    """An encoder in EchoPrime's layout, with random weights, and its file."""
    from torchvision.models.video import mvit_v2_s

    with torch.random.fork_rng():
        torch.manual_seed(4)
        network = mvit_v2_s()
        network.head[-1] = nn.Linear(network.head[-1].in_features, 512)
    path = tmp_path_factory.mktemp("encoder") / "encoder.pt"
    torch.save(network.state_dict(), path)
    return network.eval(), path


def test_a_frozen_mvit_sees_what_it_saw_before(mvit):
    theirs, path = mvit
    ours = made("frozen-mvit-v2-s", in_channels=1, weights=str(path))
    grey = randn(1, 1, 16, 224, 224)
    with torch.no_grad():
        expected = ours.head(theirs(grey.expand(-1, 3, -1, -1, -1)))
        torch.testing.assert_close(ours(grey), expected, rtol=1e-4, atol=1e-4)


def test_an_encoder_of_another_length_is_refused(mvit):
    with pytest.raises(OptionError, match=r"an embedding of 768: head.1.weight is \(512, 768\)"):
        made("frozen-mvit-v2-s", embedding=768, weights=str(mvit[1]))


class Places(nn.Module):
    """Sinusoids by their textbook definition, one number at a time."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        table = torch.zeros(1, frames, 768)
        for place in range(frames):
            for i in range(384):
                angle = place / 10_000 ** (2 * i / 768)
                table[0, place, 2 * i] = math.sin(angle)
                table[0, place, 2 * i + 1] = math.cos(angle)
        self.pe = nn.Parameter(table, requires_grad=False)


class Frames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import convnext_tiny

        self.model = convnext_tiny(num_classes=768)
        self.model.classifier[2] = nn.Identity()


class VideoEncoder(nn.Module):
    """PanEcho's encoder by its tensors' names, its transformer written out by hand."""

    def __init__(self, frames: int = 16) -> None:
        super().__init__()
        self.encoder = Frames()
        layer = nn.TransformerEncoderLayer(768, 8, 768, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, 4)
        self.time_encoder = Places(frames)

    def forward(self, x):
        features = [self.encoder.model(frame) for frame in x.unbind(dim=2)]  # of k frames: B, 768
        tokens = torch.stack(features, dim=1) + self.time_encoder.pe[:, : len(features)]
        for layer in self.transformer.layers:
            tokens = layer.norm1(tokens + attention(layer.self_attn, tokens))
            tokens = layer.norm2(tokens + layer.linear2(layer.linear1(tokens).relu()))
        return tokens.mean(dim=1)


def attention(weights: nn.MultiheadAttention, tokens: torch.Tensor) -> torch.Tensor:
    parts = nn.functional.linear(tokens, weights.in_proj_weight, weights.in_proj_bias).chunk(3, -1)
    query, key, value = (p.unflatten(-1, (8, 96)).transpose(1, 2) for p in parts)  # B, 8, k, 96
    share = (query @ key.transpose(-1, -2) / math.sqrt(96)).softmax(dim=-1)
    return weights.out_proj((share @ value).transpose(1, 2).flatten(2))


class WholeModel(nn.Module):
    def __init__(self, frames: int = 16) -> None:
        super().__init__()
        self.encoder = VideoEncoder(frames)
        self.EF_head = nn.Sequential(nn.Dropout(0.25), nn.Linear(768, 1))
        self.AVStenosis_head = nn.Sequential(nn.Dropout(0.25), nn.Linear(768, 3))


@pytest.fixture(scope="module")
def convnext(tmp_path_factory):
    """A model in PanEcho's layout, with random weights, and its file."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = WholeModel(20)
        for tensor in network.parameters():
            if tensor.ndim == 1:  # norms and biases that a mistake would show by
                nn.init.uniform_(tensor, 0.5, 1.0)
        for name, tensor in network.named_parameters():
            if name.endswith("layer_scale"):
                nn.init.uniform_(tensor, 0.2, 0.6)
    path = tmp_path_factory.mktemp("panecho") / "panecho.pt"
    layout = network.state_dict()
    layout["encoder.time_encoder.pe"] = layout["encoder.time_encoder.pe"][:, :16].clone()
    torch.save({"epoch": 3, "weights": layout, "optimizer": {"lr": 1e-4}}, path)
    return network.eval().encoder, path


def as_imagenet(frames: torch.Tensor) -> torch.Tensor:
    from torchvision.transforms import Normalize

    change = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    return change(frames.expand(-1, 3, -1, -1, -1).transpose(1, 2)).transpose(1, 2)


@pytest.mark.parametrize("shape", [(1, 1, 16, 112, 80), (2, 3, 1, 33, 47), (1, 1, 20, 40, 64)])
def test_a_frozen_convnext_sees_what_it_saw_before(convnext, shape):
    theirs, path = convnext
    ours, frames = made("frozen-convnext-t", shape[1], weights=str(path)), rand(*shape)
    with torch.no_grad():
        seen = theirs(as_imagenet(frames))
        torch.testing.assert_close(ours.encoder(frames.expand(-1, 3, -1, -1, -1)), seen)
        torch.testing.assert_close(ours(frames), ours.head(seen))


def test_frames_below_32_pixels_are_filled_up_with_black(convnext):
    ours, small = made("frozen-convnext-t", weights=str(convnext[1])), rand(1, 1, 3, 50, 20)
    with torch.no_grad():
        filled = nn.functional.pad(small, (0, 12))
        torch.testing.assert_close(ours(small), ours(filled))


def test_the_video_encoder_alone_is_read_too(convnext, tmp_path):
    theirs, path = convnext
    alone = theirs.state_dict()
    del alone["time_encoder.pe"]
    torch.save({f"module.{name}": t for name, t in alone.items()}, tmp_path / "backbone.pt")
    ours = made("frozen-convnext-t", weights=str(tmp_path / "backbone.pt"))
    whole = made("frozen-convnext-t", weights=str(path))
    assert all(torch.equal(t, whole.state_dict()[n]) for n, t in ours.state_dict().items())


def test_other_layouts_are_refused_by_name(convnext, tmp_path):
    state, path = read_weights(str(convnext[1])), tmp_path / "other.pt"

    def error_of(changed: dict[str, torch.Tensor]) -> str:
        torch.save(changed, path)
        with pytest.raises(OptionError) as error:
            made("frozen-convnext-t", weights=str(path))
        return str(error.value)

    fewer = {n: t for n, t in state.items() if "layers.3.norm2.bias" not in n}
    assert "transformer.layers.3.norm2.bias is missing" in error_of(fewer)
    assert "PanEcho's layout" in error_of(fewer)
    learned = state | {"encoder.time_encoder.pe": torch.zeros(1, 16, 768)}
    assert "time_encoder.pe" in error_of(learned)
    assert "extra.weight is not in the encoder" in error_of(state | {"extra.weight": torch.ones(1)})


def test_grad_cam_looks_at_the_frames_maps(convnext):
    ours = made("frozen-convnext-t", weights=str(convnext[1]))
    assert isinstance(ours, SupportsCam)
    saliency = resolve("explainer", "captum-gradcam")(ours, rand(1, 3, 96, 64), 1)
    assert saliency.values.shape == (3, 96, 64)
    assert saliency.values.max() == 1


@pytest.mark.parametrize("name", ["frozen-mvit-v2-s", "frozen-convnext-t"])
def test_only_the_head_of_a_frozen_encoder_learns(name):
    ours = made(name).train()
    before = {key: tensor.clone() for key, tensor in ours.state_dict().items()}
    adam = torch.optim.Adam(ours.parameters(), lr=0.1)
    nn.functional.cross_entropy(ours(randn(2, 1, 4, 32, 32)), torch.tensor([0, 2])).backward()
    adam.step()
    changed = {n for n, tensor in ours.state_dict().items() if not torch.equal(tensor, before[n])}
    assert changed == {"head.weight", "head.bias"}
    assert not any(module.training for module in ours.encoder.modules())


@pytest.mark.parametrize("name", ["frozen-mvit-v2-s", "frozen-convnext-t"])
def test_a_frozen_encoder_sees_grey_or_rgb(name):
    with pytest.raises(OptionError, match=f"'{name}' was given in_channels=2: give 1 or 3"):
        made(name, in_channels=2)
