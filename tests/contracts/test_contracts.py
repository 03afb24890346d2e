"""Every registered component keeps the contract of its kind."""

from __future__ import annotations

import inspect
import tomllib
import warnings
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import published
import pytest
from dicom_study import ROOT, encoded, ultrasound, write
from orthanc import Orthanc, shared

from echokit.interfaces import SupportsCam
from echokit.plugins.registry import KINDS, Component, Kind, registry
from echokit.testing import (
    CONTRACTS,
    Contract,
    LoaderContract,
    WriterContract,
    check_transform,
    rules,
    tiny_clip,
)

ATTRIBUTES = ("stage", "per_frame", "has_cam_layer")
SMALL = tomllib.loads((Path(__file__).parent / "small.toml").read_text("utf-8"))


class FilesContract(LoaderContract):
    options: ClassVar[dict[str, Any]] = {"patients": "as-is"}  # names are shown, to be compared
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
    options: ClassVar[dict[str, Any]] = {"patients": "as-is"}
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


class ArchiveContract(LoaderContract):
    """Against a real archive that holds clips of two patients, and a still."""

    options: ClassVar[dict[str, Any]] = {"patients": "as-is"}
    patients: ClassVar[dict[str, str]] = {f"{ROOT}.80.1": "30", f"{ROOT}.81.1": "130"}

    def address(self, archive: Orthanc) -> str:
        raise NotImplementedError

    def source(self, folder: Path) -> str:
        archive = shared()
        if f"{ROOT}.80.1" not in archive.instances():
            for number, patient, frames in ((1, "30", 14), (2, "130", 14), (3, "131", 1)):
                study = 79 + number
                clip = ultrasound(
                    1, patient=patient, study=study, frames=frames, StudyDate="20240229"
                )
                archive.put(encoded(clip))
        return f"{self.address(archive)}?StudyDate=20240229"

    def bad_source(self, folder: Path) -> tuple[str, str]:
        return self.source(folder), "object 3"


class WebContract(ArchiveContract):
    def address(self, archive: Orthanc) -> str:
        return archive.web


class DimseContract(ArchiveContract):
    def address(self, archive: Orthanc) -> str:
        return archive.dimse


class DynamicContract(LoaderContract):
    patients: ClassVar[dict[str, str]] = {"0X30": "30", "0X130": "130"}

    def source(self, folder: Path) -> str:
        return str(published.echonet_dynamic(folder, {"0X30": "TRAIN", "0X130": "TEST"}))

    def bad_source(self, folder: Path) -> tuple[str, str]:
        source = self.source(folder)
        (folder / "Videos" / "0X30.avi").write_bytes(b"this is no video")
        return source, "0X30"


class PediatricContract(LoaderContract):
    patients: ClassVar[dict[str, str]] = {
        "A4C/P30-S1-1": "30",
        "PSAX/P30-S1-2": "30",
        "A4C/P130-S1-1": "130",
    }

    def source(self, folder: Path) -> str:
        videos = {("A4C", "P30-S1-1"): "0", ("PSAX", "P30-S1-2"): "0", ("A4C", "P130-S1-1"): "9"}
        return str(published.echonet_pediatric(folder, videos))


class CamusContract(LoaderContract):
    patients: ClassVar[dict[str, str]] = {
        "patient0030_2CH": "30",
        "patient0030_4CH": "30",
        "patient0130_4CH": "130",
    }
    beside = ("*_gt.nii.gz", "*_ED.nii.gz", "*.cfg", "subgroup_*.txt")

    def source(self, folder: Path) -> str:
        patients = {"patient0030": "training", "patient0130": "testing"}
        return str(published.camus(folder, patients))


class CardiacNetContract(LoaderContract):
    patients: ClassVar[dict[str, str]] = {"PAH/30": "30", "Non-PAH/130": "130"}
    beside = ("*_label.nii.gz",)

    def source(self, folder: Path) -> str:
        return str(published.cardiacnet(folder, {"PAH": ["30"], "Non-PAH": ["130"]}))


class NedContract(LoaderContract):
    patients: ClassVar[dict[str, str]] = {"30/a": "30", "30/b": "30", "130/c": "130"}

    def source(self, folder: Path) -> str:
        cases = {"30": {"a": "A4C", "b": "PLAX"}, "130": {"c": "A4C"}}
        return str(published.ned(folder, cases))


class LvhContract(LoaderContract):
    patients: ClassVar[dict[str, str]] = {"0X30": "30", "0X130": "130"}

    def source(self, folder: Path) -> str:
        return str(published.echonet_lvh(folder, {"0X30": "train", "0X130": "test"}))


class TmedContract(LoaderContract):
    patients: ClassVar[dict[str, str]] = {"30s1_0": "30", "30s2_0": "30", "130s1_0": "130"}

    def source(self, folder: Path) -> str:
        said = ("PLAX", "no_AS", "train")
        return str(published.tmed2(folder, dict.fromkeys(self.patients, said)))

    def bad_source(self, folder: Path) -> tuple[str, str]:
        source = self.source(folder)
        next(folder.rglob("30s1_0.png")).write_bytes(b"this is no image")
        return source, "30s1_0"


class MimicContract(LoaderContract):
    patients: ClassVar[dict[str, str]] = {"9_0001": "30", "9_0002": "30", "8_0001": "130"}

    def source(self, folder: Path) -> str:
        clips = [("30", "9", 2), ("130", "8", 1)]
        return str(published.mimic_iv_echo(folder, clips, encoded(ultrasound(1, study=1))))


class HmcContract(LoaderContract):
    patients: ClassVar[dict[str, str]] = {
        "ES30_CH2_1": "30",
        "ES30_CH4_1": "30",
        "ES130_CH4_1": "130",
    }

    def source(self, folder: Path) -> str:
        videos = {"A2C": ["ES30_CH2_1"], "A4C": ["ES30_CH4_1", "ES130_CH4_1"]}
        return str(published.hmc_qu(folder, videos))


class DicomWriterContract(WriterContract):
    def file(self, clip: str, folder: Path) -> Path:
        patient, _, view = clip.partition("-")
        number = 1 if view == "A4C" else 2
        return write(ultrasound(number, patient=patient, study=len(patient)), folder / clip)


LOADERS = {
    "files": FilesContract,
    "newborn-sheet": SheetContract,
    "dicomweb": WebContract,
    "dimse": DimseContract,
    "echonet-dynamic": DynamicContract,
    "echonet-pediatric": PediatricContract,
    "camus": CamusContract,
    "cardiacnet-pah": CardiacNetContract,
    "ned": NedContract,
    "echonet-lvh": LvhContract,
    "tmed2": TmedContract,
    "mimic-iv-echo": MimicContract,
    "hmc-qu": HmcContract,
}
WRITERS = {f"dicom-{kind}": DicomWriterContract for kind in ("sr", "sc", "pdf")}


def options(component: Component) -> dict[str, Any]:
    return {k: v for k, v in SMALL.get(component.name, {}).items() if k not in ATTRIBUTES}


def attributes(component: Component) -> dict[str, Any]:
    return {k: v for k, v in SMALL.get(component.name, {}).items() if k in ATTRIBUTES}


def contract(component: Component) -> Contract:
    """The contract of a registered component, with what it must be told."""
    usual = CONTRACTS[component.kind]
    kind = (LOADERS | WRITERS).get(component.name, usual)
    own = {"component": component.full_name, "options": {**kind.options, **options(component)}}
    if component.kind == "backbone":
        own["has_cam_layer"] = True  # unless small.toml says that it has none
    return type(kind.__name__, (kind,), own | attributes(component))()


def cases(*kinds: Kind) -> list[Any]:
    """Every rule of every registered component's contract that applies to it."""
    return [
        pytest.param(suite, rule, id=f"{component.name}-{rule.removeprefix('test_')}")
        for kind in kinds
        for component in registry().of_kind(kind)
        for suite in [contract(component)]
        for rule, _ in rules(type(suite))
        if getattr(suite, rule) is not None
    ]


@pytest.mark.parametrize(("suite", "rule"), cases(*KINDS))
def test_contract(suite, rule, tmp_path):
    method = getattr(suite, rule)
    asked = "tmp_path" in inspect.signature(method).parameters
    method(**({"tmp_path": tmp_path} if asked else {}))


@pytest.mark.parametrize(
    "component",
    [
        pytest.param(c, id=c.name)
        for c in registry().of_kind("backbone")
        if attributes(c).get("has_cam_layer") is False
    ],
)
def test_a_backbone_said_to_have_no_cam_layer_has_none(component):
    made = component.factory(num_classes=2, in_channels=1, **options(component))
    assert not isinstance(made, SupportsCam)


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
