"""Networks that come with a recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from echokit import UsageError
from echokit.plugins.component import Component
from echokit.plugins.registry import registry
from echokit.recipe import load_recipe
from echokit.recipe.demo import demo_folders, resolve_demo, with_start


@pytest.fixture
def two_demos(tmp_path, monkeypatch):
    """A recipe of a disease and one of views, each with a folder `demo`."""
    own = []
    for name, installed in (("tiny-disease", "ph-newborn"), ("tiny-views", "echo-view")):
        folder = tmp_path / name
        (folder / "demo").mkdir(parents=True)
        text = load_recipe(installed).to_toml().replace(f'"{installed}"', f'"{name}"', 1)
        for place in (folder, folder / "demo"):
            (place / "recipe.toml").write_text(text)
        (folder / "demo" / "run.json").write_text(json.dumps({"stages": []}))
        own.append(Component("recipe", name, folder / "recipe.toml", "test:test", "1"))
    monkeypatch.setattr(registry(), "components", [*own, *_others()])
    return tmp_path


def _others():
    return [c for c in registry().components if c.kind != "recipe"]


def test_demo_alone_is_the_network_of_a_disease(two_demos):
    assert resolve_demo(Path("demo")) == two_demos / "tiny-disease" / "demo"
    assert resolve_demo(Path("demo/tiny-views")) == two_demos / "tiny-views" / "demo"
    assert set(demo_folders()) == {"tiny-disease", "tiny-views"}


def test_a_folder_of_that_name_comes_first(two_demos, monkeypatch):
    monkeypatch.chdir(two_demos)
    (two_demos / "demo").mkdir()
    assert resolve_demo(Path("demo")) == Path("demo")


def test_other_paths_stay_as_they_are(two_demos):
    assert resolve_demo(Path("runs/demo")) == Path("runs/demo")


def test_an_unknown_recipe_is_refused_with_those_that_bring_networks(two_demos):
    with pytest.raises(UsageError, match="demo/tiny-disease or demo/tiny-views"):
        resolve_demo(Path("demo/nobody"))


def test_training_starts_from_the_network_of_the_same_view(two_demos):
    recipe = load_recipe(
        str(two_demos / "tiny-disease" / "recipe.toml"), settings=["backbone.weights=demo"]
    )
    weights = two_demos / "tiny-disease/demo/models/severity/spatio-temporal/A4C"
    weights.mkdir(parents=True)
    (weights / "split-00.safetensors").touch()
    started = with_start(recipe, "A4C").backbone.options["weights"]
    assert started == str(weights / "split-00.safetensors")
    with pytest.raises(UsageError, match="no demonstration network of PLAX"):
        with_start(recipe, "PLAX")
    assert with_start(recipe, "A4C").training_digest() != recipe.training_digest()


def test_a_recipe_that_starts_elsewhere_is_left_as_it_is(two_demos):
    settings = ["backbone.weights=none"]
    recipe = load_recipe(str(two_demos / "tiny-disease" / "recipe.toml"), settings=settings)
    assert with_start(recipe, "A4C") is recipe
