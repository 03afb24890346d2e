"""Every registered component keeps the contract of its kind."""

from __future__ import annotations

import tomllib
import warnings
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from echokit.plugins.registry import KINDS, Component, Kind, registry
from echokit.testing import (
    CONTRACTS,
    Contract,
    LoaderContract,
    check_transform,
    rules,
    tiny_clip,
)

ATTRIBUTES = ("stage", "per_frame")
SMALL = tomllib.loads((Path(__file__).parent / "small.toml").read_text("utf-8"))


class FilesContract(LoaderContract):
    patients: ClassVar[dict[str, str]] = {"A4C.npy": "30", "PLAX.npy": "130"}

    def source(self, folder: Path) -> str:
        for patient, view in (("30", "A4C"), ("130", "PLAX")):
            (folder / patient).mkdir()
            np.save(folder / patient / f"{view}.npy", tiny_clip(known=False).frames)
        (folder / "notes.txt").write_text("not a clip")
        return str(folder)

    def bad_source(self, folder: Path) -> tuple[str, str]:
        return self.source(folder), "notes.txt"


class SheetContract(LoaderContract):
    patients: ClassVar[dict[str, str]] = {"30CV": "30", "130LA": "130"}

    def source(self, folder: Path) -> str:
        for name in ("30CV.mp4", "130LA.mp4"):
            with (folder / name).open("wb") as file:  # what a clip is, its content says
                np.save(file, tiny_clip(known=False).frames)
        sheet = "Grades\n\nNummer;Score PH\n30;1\n130;0 bis 1\n31;2\n"
        (folder / "grades.csv").write_text(sheet)
        return str(folder)

    def bad_source(self, folder: Path) -> tuple[str, str]:
        source = self.source(folder)
        (folder / "30LA.mp4").write_bytes(b"this is no video")
        return source, "30LA.mp4"


LOADERS = {"files": FilesContract, "newborn-sheet": SheetContract}


def options(component: Component) -> dict[str, Any]:
    return {k: v for k, v in SMALL.get(component.name, {}).items() if k not in ATTRIBUTES}


def attributes(component: Component) -> dict[str, Any]:
    return {k: v for k, v in SMALL.get(component.name, {}).items() if k in ATTRIBUTES}


def cases(*kinds: Kind) -> list[Any]:
    """Every rule of the contract of every registered component."""
    return [
        pytest.param(component, rule, id=f"{component.name}-{rule.removeprefix('test_')}")
        for kind in kinds
        for component in registry().of_kind(kind)
        for rule, _ in rules(CONTRACTS[kind])
    ]


@pytest.mark.parametrize(("component", "rule"), cases(*KINDS))
def test_contract(component, rule, tmp_path):
    if component.kind == "loader":
        contract: Contract = LOADERS.get(component.name, LoaderContract)()
    else:
        contract = CONTRACTS[component.kind]()
    contract.component = component.full_name
    contract.options = options(component)
    for name, value in attributes(component).items():
        setattr(contract, name, value)
    method = getattr(contract, rule)
    method(tmp_path) if component.kind == "loader" else method()


@pytest.mark.parametrize(
    "component",
    [
        pytest.param(c, id=c.name)
        for c in registry().of_kind("transform")
        if "probability" in c.options
    ],
)
def test_augmentation_that_surely_acts(component):
    made = partial(component.factory, **options(component) | {"probability": 1.0})
    check_transform(made, **{"stage": "augment"} | attributes(component))


def test_every_first_party_plugin_is_here():
    """A plugin that fails to import is only a warning to a user; here it is a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert registry().problems == []
    for kind in ("backbone", "transform", "aggregator", "explainer"):
        assert list(registry().of_kind(kind)), f"no {kind} is registered"
