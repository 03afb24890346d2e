"""The file of a suite of accuracy benchmarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from echokit.bench.suite import Suite, brought_suite, read_suite, slots
from echokit.errors import EchokitError, UsageError


def test_a_suites_file_is_read_and_overridden(tmp_path: Path):
    path = tmp_path / "suite.toml"
    path.write_text(
        'recipe = "r"\nseeds = 3\n[backbone.small]\nuse = "tiny3d"\nwidth = 2\n'
        '[aggregator.vote]\nuse = "v"\n'
    )
    found = read_suite(path, seeds=1, preset=None)
    assert (found.seeds, found.backbone["small"].options) == (1, {"width": 2})
    path.write_text(path.read_text().replace("seeds", "seed"))
    with pytest.raises(EchokitError, match="did you mean 'seeds'"):
        read_suite(path)
    with pytest.raises(UsageError, match="There is no suite"):
        read_suite(tmp_path / "none.toml")


def test_what_is_compared_by_default_is_brought_by_a_recipes_plugin():
    recipe, path = brought_suite(None)
    assert (recipe, path.name) == ("ph-newborn", "suite.toml")
    assert brought_suite("echo-view") == (recipe, path)  # which brings none
    assert read_suite(path) == Suite(
        recipe="ph-newborn",
        backbone=slots(["pytorchvideo-r2plus1d-18"]),
        aggregator=slots(["majority-vote"]),
    )


def test_a_suite_without_a_recipe_takes_the_only_one_that_brings_a_suite(tmp_path: Path):
    path = tmp_path / "suite.toml"
    path.write_text('[backbone.small]\nuse = "b"\n[aggregator.vote]\nuse = "v"\n')
    assert read_suite(path).recipe == "ph-newborn"
    assert read_suite(path, recipe="echo-view").recipe == "echo-view"


def test_where_no_recipe_brings_a_suite_one_must_be_named(isolated_plugins):
    with pytest.raises(UsageError, match="--suite FILE"):
        brought_suite(None)
