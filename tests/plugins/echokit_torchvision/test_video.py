"""ResNet-18 on frames against torchvision's own, weights in and logits out."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet18

from echokit import OptionError, SupportsCam, resolve

NAME = "torchvision-resnet-18"


def make(num_classes: int = 3, in_channels: int = 1, **options: object) -> nn.Module:
    return resolve(
        "backbone", NAME, num_classes=num_classes, in_channels=in_channels, **options
    ).eval()


def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights *and* running statistics: fresh BatchNorm would hide a swapped pair."""
    rng = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            for tensor in (module.weight.data, module.running_var):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=rng))
            for tensor in (module.bias.data, module.running_mean):
                tensor.copy_(0.2 * torch.randn(tensor.shape, generator=rng))
    return model.eval()


@pytest.fixture(scope="module")
def oracle() -> nn.Module:
    return randomise(resnet18(weights=None))


@pytest.fixture(scope="module")
def weights(oracle: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(oracle.state_dict(), path)
    return path


def sequence(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (112, 97), (33, 47)])
def test_same_weights_give_the_logits_of_torchvision(oracle, weights, size):
    ours = make(1000, 3, weights=str(weights))
    x = sequence(2, 3, 1, *size)
    torch.testing.assert_close(ours(x), oracle(x[:, :, 0]), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_of_several_frames_the_logits_are_averaged(oracle, weights):
    ours = make(1000, 3, weights=str(weights))
    x = sequence(2, 3, 4, 40, 48)
    frames = torch.stack([oracle(x[:, :, t]) for t in range(4)])
    torch.testing.assert_close(ours(x), frames.mean(dim=0), atol=1e-4, rtol=1e-4)


def test_training_on_single_frames_has_the_gradients_of_torchvision(weights, oracle):
    theirs = resnet18(weights=None)
    theirs.load_state_dict(oracle.state_dict())
    ours = make(1000, 3, weights=str(weights)).train()
    x = sequence(4, 3, 1, 64, 64)
    theirs.train()(x[:, :, 0]).logsumexp(1).sum().backward()
    ours(x).logsumexp(1).sum().backward()
    torch.testing.assert_close(
        ours.conv1.weight.grad[:, :, 0], theirs.conv1.weight.grad, atol=1e-3, rtol=1e-3
    )
    torch.testing.assert_close(
        ours.layer4[1].conv2[1].running_var, theirs.layer4[1].bn2.running_var
    )


@torch.no_grad()
def test_the_memory_format_of_training_changes_nothing(weights):
    plain = make(1000, 3, weights=str(weights))
    laid_out = make(1000, 3, weights=str(weights)).to(memory_format=torch.channels_last_3d)
    x = sequence(2, 3, 1, 48, 48)
    y = laid_out(x.to(memory_format=torch.channels_last_3d))
    torch.testing.assert_close(y, plain(x), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_grey_frames_give_what_they_give_as_rgb(oracle, weights):
    x = sequence(1, 1, 1, 40, 48)
    expected = oracle(x[:, :, 0].expand(-1, 3, -1, -1))
    for channels in (1, 2):
        ours = make(1000, channels, weights=str(weights))
        torch.testing.assert_close(
            ours(x.expand(-1, channels, -1, -1, -1)), expected, atol=1e-4, rtol=1e-4
        )


def test_a_head_of_other_classes_is_left_fresh(oracle, weights):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fresh = make(3, 3)
        torch.manual_seed(0)
        loaded = make(3, 3, weights=str(weights))
    assert torch.equal(fresh.fc.weight, loaded.fc.weight)
    expected = oracle.layer4[0].downsample[0].weight
    assert torch.equal(loaded.layer4[0].downsample[0].weight[:, :, 0], expected)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_own_state_dicts_load_too(tmp_path, suffix):
    first = randomise(make(width=4))
    path = tmp_path / f"ours{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(first.state_dict(), path)
    second = make(width=4, weights=str(path))
    x = sequence(1, 1, 1, 40, 48)
    assert torch.equal(first(x), second(x))


@pytest.mark.parametrize(("width", "millions"), [(64, 11.2), (16, 0.7)])
def test_size_as_documented(width, millions):
    count = sum(p.numel() for p in make(in_channels=3, width=width).parameters())
    assert round(count / 1e6, 1) == millions
    if width == 64:
        theirs = resnet18(weights=None, num_classes=3)
        assert count == sum(p.numel() for p in theirs.parameters())


def test_fresh_weights_spread_as_torchvisions():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ours, theirs = make(1000, 3), resnet18(weights=None)
    pairs = ((ours.conv1, theirs.conv1), (ours.layer3[0].conv2[0], theirs.layer3[0].conv2))
    for our_layer, their_layer in (*pairs, (ours.fc, theirs.fc)):
        assert our_layer.weight.std().item() == pytest.approx(
            their_layer.weight.std().item(), rel=0.03
        )


def test_the_cam_layer_is_the_last_stage_and_keeps_time():
    model = make(width=8)
    assert isinstance(model, SupportsCam)
    shapes = []
    model.cam_layer().register_forward_hook(lambda m, i, out: shapes.append(tuple(out.shape)))
    model(sequence(2, 1, 3, 64, 80))
    assert shapes == [(2, 64, 3, 2, 3)]


def test_the_cam_layer_can_be_an_earlier_one_and_nothing_else():
    model = make(width=8, cam="layer2")
    assert model.cam_layer() is model.layer2
    with pytest.raises(OptionError, match="cam='conv1': give one of layer1, layer2"):
        make(width=8, cam="conv1")


@pytest.mark.parametrize("frames", [1, 3])
def test_grad_cam_explains_each_frame(frames):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = randomise(make(width=8))
    x = sequence(1, frames, 96, 70)
    saliency = resolve("explainer", "captum-gradcam")(model, x, 1)
    assert saliency.values.shape == (frames, 96, 70)
    assert (saliency.values.min(), saliency.values.max()) == (0, 1)


def test_imagenet_takes_torchvisions_file(oracle, weights, tmp_path, monkeypatch):
    """The file lies where torch.hub keeps it, so that nothing is fetched."""
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / "resnet18-f37072fd.pth").symlink_to(weights)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    model = make(weights="imagenet")
    expected = oracle.conv1.weight.sum(dim=1, keepdim=True)
    assert torch.equal(model.conv1.weight[:, :, 0], expected)


def test_imagenet_without_a_network_says_where_the_file_is(tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(OptionError, match=r"download\.pytorch\.org.*give its path"):
        make(weights="imagenet")


def test_imagenet_is_of_width_64():
    with pytest.raises(OptionError, match="width=64, not width=16"):
        make(width=16, weights="imagenet")


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


def test_a_pickle_with_code_is_refused_unrun(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    torch.save({"conv1.weight": Evil()}, path)
    with pytest.raises(OptionError, match="plain tensors") as error:
        make(weights=str(path))
    assert not (tmp_path / "evil").exists()
    assert "weights_only" not in str(error.value)


def test_weights_that_cannot_be_used_are_named(tmp_path, weights):
    def error_of(path: object) -> str:
        with pytest.raises(OptionError) as error:
            make(width=4, weights=str(path))
        return str(error.value)

    assert "There is no file" in error_of(tmp_path / "nothing.pth")
    assert "'imagenet'" in error_of("image-net")
    assert "The file is of width=64: give that width." in error_of(weights)

    broken = tmp_path / "broken.pth"
    broken.write_bytes(weights.read_bytes()[:100_000])
    assert "cannot be read" in error_of(broken)
    torch.save([1, 2], tmp_path / "plain.pth")
    assert "holds no state dict" in error_of(tmp_path / "plain.pth")
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 64)
    assert "cannot be read" in error_of(tmp_path / "broken.safetensors")

    state = make(width=4).state_dict()
    state["extra.weight"] = state.pop("layer1.0.conv1.1.weight")
    torch.save(state, tmp_path / "keys.pth")
    message = error_of(tmp_path / "keys.pth")
    assert "layer1.0.conv1.1.weight is missing" in message
    assert "extra.weight is not in the network" in message


@pytest.mark.parametrize("option", ["num_classes", "in_channels", "width"])
def test_numbers_below_one_are_refused(option):
    with pytest.raises(OptionError, match=f"{option}=0"):
        make(**{option: 0})


def test_importing_it_is_quiet_and_asking_for_it_imports_no_torch():
    code = (
        "import sys, echokit_torchvision; assert 'torch' not in sys.modules; "
        "echokit_torchvision.resnet_18(2, 1, width=2)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
