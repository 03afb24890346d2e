"""What echokit depends on: constrained, locked by hash, billed, and none of it known to steal."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
ITSELF = "echokit-cardiac"
SECRETS_STOLEN_BY = {"lightning", "pytorch-lightning"}
"""`lightning` 2.6.2 and 2.6.3, which the second name depends on or is depended on by."""

UNDECLARED = {
    "cuda-toolkit",
    "fvcore",
    "iopath",
    "monai",
    "nvidia-cusparselt-cu13",
    "protobuf",
    "pytorchvideo",
    "torchvision",
}
"""Name their licence in words of their own, which the tool leaves out; decision 9 has it."""


def named(lines: list[str]) -> dict[str, Requirement]:
    wanted = [Requirement(line) for line in lines]
    return {canonicalize_name(one.name): one for one in wanted}


def requirements(path: str) -> dict[str, Requirement]:
    """The requirements of a file by name, without comments, continued lines and hashes."""
    text = (ROOT / path).read_text("utf-8").replace("\\\n", " ")
    lines = [re.split(r"\s+#|^#|\s--hash", line)[0].strip() for line in text.splitlines()]
    return named([line for line in lines if line])


ALWAYS = named(PROJECT["project"]["dependencies"])
DIRECT = ALWAYS | {
    name: one for lines in EXTRAS.values() for name, one in named(lines).items() if name != ITSELF
}
CONSTRAINTS = requirements("constraints.txt")
LOCKED = requirements("requirements/linux-py311.lock")
LOCK_TEXT = (ROOT / "requirements" / "linux-py311.lock").read_text("utf-8")
BILL = json.loads((ROOT / "requirements" / "sbom.cdx.json").read_text("utf-8"))


def locked_version(name: str) -> str:
    (pin,) = LOCKED[name].specifier
    assert pin.operator == "=="
    return pin.version


@pytest.mark.parametrize("names", [DIRECT, CONSTRAINTS, LOCKED], ids=["direct", "capped", "locked"])
def test_the_distributions_that_stole_credentials_are_required_nowhere(names):
    assert not SECRETS_STOLEN_BY & set(names)
    billed = {canonicalize_name(part["name"]) for part in BILL["components"]}
    assert not SECRETS_STOLEN_BY & billed


def test_fabric_is_newer_than_the_theft():
    assert not list(ALWAYS["lightning-fabric"].specifier.filter(["2.6.1", "2.6.2", "2.6.3"]))


def test_every_direct_dependency_has_a_newest_tested_version_and_no_other_name_has():
    assert set(CONSTRAINTS) == set(DIRECT)
    for name, one in CONSTRAINTS.items():
        assert {part.operator for part in one.specifier} <= {"==", "<="}, name


@pytest.mark.parametrize("name", sorted(set(DIRECT) - {"pre-commit"}))
def test_what_is_locked_is_allowed_by_the_project_and_by_the_constraints(name):
    assert DIRECT[name].specifier.contains(locked_version(name))
    assert CONSTRAINTS[name].specifier.contains(locked_version(name))


def test_every_locked_file_is_held_to_a_hash_and_none_to_a_place():
    entries = re.split(r"\n(?=\S)", re.sub(r"^ *#.*\n", "", LOCK_TEXT, flags=re.M).strip())
    assert len(entries) == len(LOCKED)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry) for entry in entries)
    assert not re.search(r"://|--index|--find-links|@ ", LOCK_TEXT)


def test_the_bill_of_materials_lists_what_is_locked_with_its_licence():
    parts = {canonicalize_name(part["name"]): part for part in BILL["components"]}
    assert {name: part["version"] for name, part in parts.items()} == {
        name: locked_version(name) for name in LOCKED
    }
    assert {name for name, part in parts.items() if not part.get("licenses")} == UNDECLARED
    assert BILL["metadata"]["component"]["name"] == ITSELF
    depended_on = next(
        one["dependsOn"]
        for one in BILL["dependencies"]
        if one["ref"] == BILL["metadata"]["component"]["bom-ref"]
    )
    direct = {canonicalize_name(ref.partition("==")[0]) for ref in depended_on}
    assert direct == set(DIRECT) - {"pre-commit"}, "make lock"


def test_the_bill_of_materials_is_the_same_whenever_and_wherever_it_is_made():
    assert not {"serialNumber"} & set(BILL)
    assert "timestamp" not in BILL["metadata"]
    text = json.dumps(BILL)
    assert "externalReferences" not in text
    assert "file:" not in text


def test_the_light_install_asks_for_dependencies_of_the_project_only():
    light = requirements("requirements/predict.txt")
    assert set(light) <= set(ALWAYS) | {"openvino"}
    assert not set(light) & {"torch", "torchvision", "monai", "captum", "pytorchvideo"}
