"""Every registered component keeps the contract of its kind."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from echokit.plugins import Component, Kind, registry
from echokit.testing import (
    check_aggregator,
    check_backbone,
    check_explainer,
    check_loader,
    check_recipe,
    check_transform,
    tiny_clip,
)

SMALL = tomllib.loads((Path(__file__).parent / "small.toml").read_text("utf-8"))


def folder_of_clips(folder: Path) -> str:
    for patient, view in (("one", "A4C"), ("two", "PLAX")):
        (folder / patient).mkdir()
        np.save(folder / patient / f"{view}.npy", tiny_clip(known=False).frames)
    (folder / "notes.txt").write_text("not a clip")
    return str(folder)


def folder_with_a_sheet(folder: Path) -> str:
    for name in ("30CV.mp4", "130LA.mp4"):
        with (folder / name).open("wb") as file:  # what a clip is, its content says
            np.save(file, tiny_clip(known=False).frames)
    (folder / "grades.csv").write_text("Grades\n\nNummer;Score PH\n30;1\n130;0 bis 1\n31;2\n")
    return str(folder)


SOURCES: dict[str, Callable[[Path], str]] = {
    "files": folder_of_clips,
    "newborn-sheet": folder_with_a_sheet,
}


def every(kind: Kind) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "component", [pytest.param(c, id=c.name) for c in registry().of_kind(kind)]
    )


def factory(component: Component) -> Callable[..., Any]:
    return partial(component.factory, **options(component))


def options(component: Component) -> dict[str, Any]:
    return {k: v for k, v in SMALL.get(component.name, {}).items() if k != "stage"}


def stage(component: Component) -> Any:
    return SMALL.get(component.name, {}).get("stage", "augment")


@every("backbone")
def test_backbone(component):
    check_backbone(factory(component))


@every("transform")
def test_transform(component):
    check_transform(factory(component), stage(component))


@pytest.mark.parametrize(
    "component",
    [
        pytest.param(c, id=c.name)
        for c in registry().of_kind("transform")
        if "probability" in c.options
    ],
)
def test_augmentation_that_surely_acts(component):
    check_transform(partial(factory(component), probability=1.0), stage(component))


@every("aggregator")
def test_aggregator(component):
    check_aggregator(factory(component))


@every("explainer")
def test_explainer(component):
    check_explainer(factory(component))


@every("loader")
def test_loader(component, tmp_path):
    check_loader(factory(component), SOURCES.get(component.name, lambda _: "")(tmp_path))


@every("recipe")
def test_recipe(component):
    check_recipe(component.factory)


def test_every_first_party_plugin_is_here():
    """A plugin that fails to import is only a warning to a user; here it is a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registry().problems == []
    for kind in ("backbone", "transform", "aggregator", "explainer"):
        assert list(registry().of_kind(kind)), f"no {kind} is registered"
