"""R(2+1)D-18 against torchvision's own, weights in and logits out."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models.video import r2plus1d_18 as torchvision_r2plus1d_18

from echokit import OptionError, SupportsCam, resolve

NAME = "pytorchvideo-r2plus1d-18"


def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights *and* running statistics: fresh BatchNorm would hide a swapped pair."""
    rng = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            for tensor in (module.weight.data, module.running_var):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=rng))
            for tensor in (module.bias.data, module.running_mean):
                tensor.copy_(0.2 * torch.randn(tensor.shape, generator=rng))
    return model.eval()


@pytest.fixture(scope="module")
def oracle() -> nn.Module:
    return randomise(torchvision_r2plus1d_18(weights=None))


@pytest.fixture(scope="module")
def weights(oracle: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "r2plus1d_18.pth"
    torch.save(oracle.state_dict(), path)
    return path


def sequence(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_same_weights_give_the_logits_of_torchvision(oracle, weights):
    ours = resolve("backbone", NAME, num_classes=400, in_channels=3, weights=str(weights)).eval()
    x = sequence(2, 3, 12, 112, 112)
    torch.testing.assert_close(ours(x), oracle(x), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_grey_frames_give_what_they_give_as_rgb(oracle, weights):
    """Regression: a sibling project made its grey frames RGB and threw the result away."""
    x = sequence(1, 1, 4, 40, 48)
    expected = oracle(x.expand(-1, 3, -1, -1, -1))
    for channels in (1, 2):
        ours = resolve(
            "backbone", NAME, num_classes=400, in_channels=channels, weights=str(weights)
        ).eval()
        torch.testing.assert_close(
            ours(x.expand(-1, channels, -1, -1, -1)), expected, atol=1e-4, rtol=1e-4
        )


def test_a_head_of_other_classes_is_left_fresh(oracle, weights):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fresh = resolve("backbone", NAME, num_classes=3, in_channels=3)
        torch.manual_seed(0)
        loaded = resolve("backbone", NAME, num_classes=3, in_channels=3, weights=str(weights))
    assert torch.equal(fresh.head.weight, loaded.head.weight)
    assert torch.equal(loaded.stage4[0].branch1_conv.weight, oracle.layer4[0].downsample[0].weight)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_own_state_dicts_load_too(tmp_path, suffix):
    first = randomise(resolve("backbone", NAME, num_classes=3, in_channels=1, width=4))
    path = tmp_path / f"ours{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(first.state_dict(), path)
    second = resolve(
        "backbone", NAME, num_classes=3, in_channels=1, width=4, weights=str(path)
    ).eval()
    x = sequence(1, 1, 3, 20, 24)
    assert torch.equal(first(x), second(x))


def test_published_size():
    model = resolve("backbone", NAME, num_classes=3, in_channels=3)
    theirs = torchvision_r2plus1d_18(weights=None, num_classes=3)
    count = sum(p.numel() for p in model.parameters())
    assert count == sum(p.numel() for p in theirs.parameters())
    assert round(count / 1e6, 1) == 31.3


@pytest.mark.parametrize("shape", [(1, 1, 1, 33, 47), (2, 1, 7, 31, 50), (3, 1, 12, 16, 16)])
def test_any_number_of_frames_and_any_size(shape):
    model = resolve("backbone", NAME, num_classes=3, in_channels=1, width=8).eval()
    assert model(sequence(*shape)).shape == (shape[0], 3)


def test_the_cam_layer_is_the_last_stage():
    model = resolve("backbone", NAME, num_classes=3, in_channels=1, width=8).eval()
    assert isinstance(model, SupportsCam)
    shapes = []
    model.cam_layer().register_forward_hook(lambda m, i, out: shapes.append(tuple(out.shape)))
    model(sequence(2, 1, 12, 64, 80))
    assert shapes == [(2, 64, 2, 4, 5)]


def test_the_cam_layer_can_be_an_earlier_one_and_nothing_else():
    made = resolve("backbone", NAME, num_classes=3, in_channels=1, width=8, cam="stage2")
    assert made.cam_layer() is made.stage2
    with pytest.raises(OptionError, match="cam='stem': give one of stage1, stage2"):
        resolve("backbone", NAME, num_classes=3, in_channels=1, cam="stem")


def test_kinetics400_takes_torchvisions_file(oracle, weights, tmp_path, monkeypatch):
    """The file lies where torch.hub keeps it, so that nothing is fetched."""
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / "r2plus1d_18-91a641e6.pth").symlink_to(weights)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    model = resolve("backbone", NAME, num_classes=3, in_channels=1, weights="kinetics400")
    expected = oracle.stem[0].weight.sum(dim=1, keepdim=True)
    assert torch.equal(model.stem.conv.conv_xy.weight, expected)


def test_kinetics400_without_a_network_says_where_the_file_is(tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(OptionError, match=r"download\.pytorch\.org.*give its path"):
        resolve("backbone", NAME, num_classes=3, in_channels=1, weights="kinetics400")


def test_kinetics400_is_of_width_64():
    with pytest.raises(OptionError, match="width=64, not width=16"):
        resolve("backbone", NAME, num_classes=3, in_channels=1, width=16, weights="kinetics400")


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


def test_a_pickle_with_code_is_refused_unrun(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    torch.save({"stem.0.weight": Evil()}, path)
    with pytest.raises(OptionError, match="plain tensors") as error:
        resolve("backbone", NAME, num_classes=3, in_channels=1, weights=str(path))
    assert not (tmp_path / "evil").exists()
    assert "weights_only" not in str(error.value)


def test_weights_that_cannot_be_used_are_named(tmp_path, weights):
    def error_of(path: object, **options: int) -> str:
        options = {"num_classes": 3, "in_channels": 1, "width": 4} | options
        with pytest.raises(OptionError) as error:
            resolve("backbone", NAME, **options, weights=str(path))
        return str(error.value)

    assert "There is no file" in error_of(tmp_path / "nothing.pth")
    assert "'kinetics400'" in error_of("kinetics")
    assert "The file is of width=64: give that width." in error_of(weights)

    broken = tmp_path / "broken.pth"
    broken.write_bytes(weights.read_bytes()[:100_000])
    assert "cannot be read" in error_of(broken)
    torch.save([1, 2], tmp_path / "plain.pth")
    assert "holds no state dict" in error_of(tmp_path / "plain.pth")
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 64)
    assert "cannot be read" in error_of(tmp_path / "broken.safetensors")

    state = resolve("backbone", NAME, num_classes=3, in_channels=1, width=4).state_dict()
    state["extra.weight"] = state.pop("stage1.0.branch2.norm_a.weight")
    torch.save(state, tmp_path / "keys.pth")
    message = error_of(tmp_path / "keys.pth")
    assert "stage1.0.branch2.norm_a.weight is missing" in message
    assert "extra.weight is not in the network" in message


@pytest.mark.parametrize("option", ["num_classes", "in_channels", "width"])
def test_numbers_below_one_are_refused(option):
    options = {"num_classes": 3, "in_channels": 1} | {option: 0}
    with pytest.raises(OptionError, match=f"{option}=0"):
        resolve("backbone", NAME, **options)


def test_importing_it_is_quiet_and_asking_for_it_imports_no_torch():
    code = (
        "import sys, echokit_pytorchvideo; assert 'torch' not in sys.modules; "
        "echokit_pytorchvideo.r2plus1d_18(2, 1, width=2); "
        "assert not [m for m in sys.modules if m.startswith(('pytorchvideo.transforms',"
        " 'pytorchvideo.data'))]"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
