"""The weights that training starts from: missed before any work, and no more once it is done."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from echokit import OptionError, hookimpl, read_weights
from echokit.components.networks import bare_model, make_model
from echokit.components.trial import try_components
from echokit.folder import RunFolder
from echokit.recipe import load_recipe
from echokit.runs import carry_out
from echokit.testing import check_recipe


class Small(nn.Module):
    """One kernel for all frames, and a head; the kernel may be frozen."""

    def __init__(self, classes: int, channels: int, weights: str, frozen: bool) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv3d(channels, 8, 3, padding=1), nn.Linear(8, classes)
        if weights != "none":
            self.conv.load_state_dict(read_weights(weights))
        self.conv.requires_grad_(not frozen)

    def forward(self, x):
        return self.head(self.conv(x).relu().mean(dim=(2, 3, 4)))


def tiny_warm(num_classes: int, in_channels: int, *, weights: str = "none") -> nn.Module:
    return Small(num_classes, in_channels, weights, frozen=False)


def tiny_frozen(num_classes: int, in_channels: int, *, weights: str = "none") -> nn.Module:
    return Small(num_classes, in_channels, weights, frozen=True)


def tiny_own(num_classes: int, in_channels: int) -> nn.Module:
    """Frozen too, but where its weights come from is its own affair."""
    return Small(num_classes, in_channels, "none", frozen=True)


class Networks:
    @hookimpl
    def register_backbones(self, register):
        register("tiny-warm", tiny_warm)
        register("tiny-frozen", tiny_frozen)
        register("tiny-own", tiny_own)


@pytest.fixture(autouse=True)
def plugin(tiny_plugin):
    tiny_plugin.add(Networks(), "echokit-networks:networks", "1.0")


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "start.pt"
    torch.save(nn.Conv3d(1, 8, 3, padding=1).state_dict(), path)
    return path


def recipe_of(backbone, *settings):
    changes = ["train.n=1", "explain=false", f"backbone={backbone}", *settings]
    return load_recipe("tiny-study", settings=changes)


def no_work(monkeypatch):
    monkeypatch.setattr("echokit.runs.find_cohort", lambda *_: pytest.fail("work began"))


def test_a_random_encoder_that_stays_as_it_is_is_not_trained_on(tmp_path, monkeypatch):
    no_work(monkeypatch)
    recipe = recipe_of("tiny-frozen")
    with pytest.raises(OptionError, match=r"is random: type --set backbone\.weights=PATH"):
        carry_out(recipe, RunFolder.create(tmp_path / "run", recipe))
    with pytest.raises(OptionError, match="'tiny-frozen' trains a head on an encoder"):
        make_model(recipe, 2)


def test_it_is_trained_on_with_weights_and_made_without_them_to_be_loaded_over(weights):
    recipe = recipe_of("tiny-frozen", f"backbone.weights={weights}")
    assert torch.equal(make_model(recipe, 2).conv.weight, read_weights(str(weights))["weight"])
    bare_model(recipe, 2)
    bare_model(recipe_of("tiny-frozen"), 2)
    try_components(recipe_of("tiny-frozen"))


@pytest.mark.parametrize("backbone", ["tiny-warm", "tiny-own"])
def test_other_networks_start_from_what_they_draw(backbone):
    make_model(recipe_of(backbone), 2)


def test_a_recipe_may_leave_the_weights_to_its_user(recipe_file):
    recipe_file.write_text(recipe_file.read_text().replace('"tiny3d"\nwidth = 4', '"tiny-frozen"'))
    check_recipe(recipe_file)


def test_missing_weights_are_missed_before_any_work(tmp_path, monkeypatch):
    no_work(monkeypatch)
    gone = tmp_path / "gone.pt"
    recipe = recipe_of("tiny-warm", f"backbone.weights={gone}")
    with pytest.raises(OptionError, match=r"no file '.*gone\.pt': .* --set backbone\.weights=PATH"):
        carry_out(recipe, RunFolder.create(tmp_path / "run", recipe))


def test_weights_are_tried_without_drawing_from_the_global_generator(weights):
    before = torch.get_rng_state()
    try_components(recipe_of("tiny-warm", f"backbone.weights={weights}"), start=True)
    assert torch.equal(before, torch.get_rng_state())


def test_a_run_that_has_trained_needs_the_weights_no_more(tmp_path, weights):
    recipe = recipe_of("tiny-frozen", f"backbone.weights={weights}")
    folder = RunFolder.create(tmp_path / "run", recipe)
    carry_out(recipe, folder)
    weights.unlink()
    carry_out(recipe, RunFolder.open(folder.path))
    other = recipe_of("tiny-frozen", f"backbone.weights={weights}", "evaluate.bootstrap=30")
    carry_out(other, RunFolder.open(folder.path))
    with pytest.raises(OptionError, match="There is no file"):
        carry_out(
            recipe_of("tiny-frozen", f"backbone.weights={weights}", "train.epochs=2"),
            RunFolder.open(folder.path),
        )
