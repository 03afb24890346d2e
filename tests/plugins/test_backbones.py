"""Backbones of torchvision, pytorchvideo and MONAI: each computes what its library's own does."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch import nn

from echokit import OptionError, SupportsCam, resolve
from echokit.plugins.registry import registry

TORCHVISION = ("r2plus1d_18", "r3d_18", "mc3_18", "s3d", "swin3d_t", "mvit_v2_s")
SHAPES = {"s3d": (16, 224), "mvit_v2_s": (16, 224)}
"""Frames and side at which a library's own network is made for one size."""
CLASSES = 3


@pytest.fixture
def fetched(monkeypatch, tmp_path) -> list[str]:
    """What was asked of the network, where there is none."""
    urls: list[str] = []

    def offline(url: str, *_: object, **__: object) -> None:
        urls.append(url)
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    return urls


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def made(name: str, in_channels: int = 3, **options: object) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: nn.Module = resolve(
            "backbone", name, num_classes=CLASSES, in_channels=in_channels, **options
        )
    return network.eval()


def stirred(network: nn.Module) -> nn.Module:
    """Give statistics and zeroed norms values that a mistake would show by."""
    rng = torch.Generator().manual_seed(1)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=rng) + 0.5)
        elif tensor.ndim == 1 and tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=rng) * 0.5 + 0.25)
    return network.eval()


def close(ours: nn.Module, theirs: nn.Module, sequences: torch.Tensor) -> None:
    with torch.no_grad():
        torch.testing.assert_close(ours(sequences), theirs(sequences), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_networks_are_torchvisions(name, tmp_path):
    from torchvision.models import video

    theirs = stirred(getattr(video, name)(num_classes=CLASSES))
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    component = f"torchvision-{name.replace('_', '-')}"
    ours = made(component, weights=str(tmp_path / "weights.pth"))
    frames, side = SHAPES.get(name, (4, 48))
    close(ours, theirs, randn(1, 3, frames, side, side))
    grey = made(component, in_channels=1, weights=str(tmp_path / "weights.pth"))
    sequence = randn(1, 1, 4, 64, 48)
    with torch.no_grad():
        torch.testing.assert_close(
            grey(sequence), ours(sequence.expand(-1, 3, -1, -1, -1)), rtol=1e-3, atol=1e-3
        )


def theirs_of_pytorchvideo(name: str) -> tuple[nn.Module, tuple[int, int]]:
    """As its model zoo builds it, and frames and side it is made for; logits for probabilities."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pytorchvideo.models import hub

    network = {
        "r2plus1d-50": lambda: hub.r2plus1d_r50(model_num_class=CLASSES, head_activation=None),
        "slow-r50": lambda: hub.slow_r50(model_num_class=CLASSES),
        "csn-r101": lambda: hub.csn_r101(model_num_class=CLASSES),
        "x3d-s": lambda: hub.x3d_s(model_num_class=CLASSES, head_activation=None),
        "x3d-m": lambda: hub.x3d_m(model_num_class=CLASSES, head_activation=None),
    }[name]()
    sizes = {"r2plus1d-50": (16, 224), "slow-r50": (8, 224), "csn-r101": (32, 224)}
    return network, sizes.get(name, (13, 160) if name == "x3d-s" else (16, 224))


@pytest.mark.parametrize("name", ["r2plus1d-50", "slow-r50", "csn-r101", "x3d-s", "x3d-m"])
@pytest.mark.filterwarnings("ignore")
def test_pytorchvideos_networks_are_those_of_its_model_zoo(name, tmp_path):
    theirs, (frames, side) = theirs_of_pytorchvideo(name)
    stirred(theirs)
    torch.save({"model_state": theirs.state_dict()}, tmp_path / "zoo.pyth")
    ours = made(f"pytorchvideo-{name}", weights=str(tmp_path / "zoo.pyth"))
    close(ours, theirs, randn(1, 3, frames, side, side))


@pytest.mark.parametrize(("name", "side"), [("resnet18", 24), ("densenet121", 32)])
def test_monais_networks_are_monais(name, side, tmp_path):
    from monai.networks import nets

    channels = {"resnet18": "n_input_channels", "densenet121": "in_channels"}[name]
    classes = {"resnet18": "num_classes", "densenet121": "out_channels"}[name]
    theirs = stirred(getattr(nets, name)(spatial_dims=3, **{channels: 3, classes: CLASSES}))
    torch.save(theirs.state_dict(), tmp_path / "weights.pt")
    ours = made(f"monai-{name}", weights=str(tmp_path / "weights.pt"))
    close(ours, theirs, randn(1, 3, 32, side, side))


@pytest.mark.parametrize("component", list(registry().of_kind("backbone")), ids=lambda c: c.name)
def test_every_backbone_takes_the_papers_twelve_grey_frames(component, fetched):
    network = made(component.full_name, in_channels=1)
    with torch.no_grad():
        logits = network(randn(1, 1, 12, 64, 64))
    assert logits.shape == (1, CLASSES)
    assert logits.isfinite().all()
    assert fetched == [], "nothing is fetched unless it is asked for by name"
    transformer = "mvit" in component.name
    assert isinstance(network, SupportsCam) != transformer


def test_a_file_of_another_network_is_refused_by_name(tmp_path):
    torch.save(made("torchvision-r3d-18").state_dict(), tmp_path / "other.pth")
    with pytest.raises(OptionError, match=r"other.pth' do not fit: .* is missing"):
        made("torchvision-mc3-18", weights=str(tmp_path / "other.pth"))


ZOO = {
    "pytorchvideo-r2plus1d-50": ("r2plus1d", "r2plus1d_r50"),
    "pytorchvideo-slow-r50": ("resnet", "slow_r50"),
    "pytorchvideo-csn-r101": ("csn", "csn_r101"),
    "pytorchvideo-x3d-s": ("x3d", "x3d_s"),
    "pytorchvideo-x3d-m": ("x3d", "x3d_m"),
}
"""Module of pytorchvideo's hub and its name for the weights."""


def published(name: str) -> str:
    """Where the library itself says that its weights lie."""
    if name in ZOO:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = import_module(f"pytorchvideo.models.hub.{ZOO[name][0]}")
        return str(module.checkpoint_paths[ZOO[name][1]])
    from torchvision import models

    model = name.partition("-")[2].replace("-", "_")
    model = {"resnet_18": "resnet18"}.get(model, model)
    where = models if model == "resnet18" else models.video
    return str(models.get_model_weights(getattr(where, model)).DEFAULT.url)


PUBLISHED = (
    *("pytorchvideo-r2plus1d-18", *ZOO, "torchvision-resnet-18"),
    *(f"torchvision-{name.replace('_', '-')}" for name in TORCHVISION),
)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_name_asks_the_library_for_its_weights(fetched, name):
    with pytest.raises(OptionError, match=r"no network.*give its path"):
        made(name, weights="imagenet" if "resnet-18" in name else "kinetics400")
    assert fetched == [published(name)]


@pytest.mark.parametrize("name", ["monai-resnet18", "frozen-mvit-v2-s", "frozen-convnext-t"])
def test_what_no_library_publishes_for_a_network_is_not_asked_for(fetched, name):
    with pytest.raises(OptionError, match="'kinetics400' is neither 'none' nor a file"):
        made(name, weights="kinetics400")
    assert fetched == []


@pytest.mark.parametrize(
    ("name", "head"), [("torchvision-mc3-18", "fc"), ("pytorchvideo-x3d-s", "blocks.5.proj")]
)
def test_published_weights_are_fetched_once_and_fit(monkeypatch, tmp_path, name, head):
    """A stand-in for the library's server: its file, of other classes."""
    theirs = stirred(resolve("backbone", name, num_classes=CLASSES + 1, in_channels=3))
    state = {n.removeprefix("network."): t for n, t in theirs.state_dict().items()}
    fetched = []

    def download(url: str, place: str, *_: object, **__: object) -> None:
        fetched.append(url)
        torch.save({"model_state": state} if name in ZOO else state, place)

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    made(name)
    assert fetched == []
    for _ in range(2):
        ours = made(name, weights="kinetics400").state_dict()
        assert fetched == [published(name)]
    given = theirs.state_dict()
    same = {n.removeprefix("network.") for n, t in ours.items() if torch.equal(t, given[n])}
    assert set(state) - same == {f"{head}.weight", f"{head}.bias"}


def test_a_zoo_that_holds_code_is_not_run(monkeypatch, tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "evil",))

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(
        torch.hub, "download_url_to_file", lambda url, place, *_, **__: torch.save([Evil()], place)
    )
    with pytest.raises(
        OptionError, match=r"X3D_S\.pyth: it holds more than plain tensors"
    ) as error:
        made("pytorchvideo-x3d-s", weights="kinetics400")
    assert "weights_only" not in str(error.value)
    assert not (tmp_path / "evil").exists()


def test_the_zoo_is_of_width_64():
    with pytest.raises(OptionError, match="published for width=64, not width=16"):
        made("pytorchvideo-slow-r50", width=16, weights="kinetics400")
