"""What the tests of the node share: studies to send, and a node's TOML file."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

NAME = "Müstermann^Quentin"
"""Planted: it stands in every file that is sent, and may stand in nothing that a node writes."""


def study_uid(number: int) -> str:
    return generate_uid(entropy_srcs=["study", str(number)])


def clip(number: int = 1, instance: int = 1) -> Dataset:
    """pydicom's A4C cine as an instance of a study of its own."""
    path = get_testdata_file("examples_ybr_color.dcm", download=False)
    ds = dcmread(path)
    ds.PatientName, ds.PatientID = NAME, f"MRN-{number}"
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.StudyInstanceUID = study_uid(number)
    ds.SOPInstanceUID = generate_uid(entropy_srcs=["instance", str(number), str(instance)])
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.StudyDescription = "Echo of a newborn"
    return ds


def write_clip(folder: Path, number: int = 1, instance: int = 1) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{number}-{instance}.dcm"
    clip(number, instance).save_as(path)
    return path


def write_config(
    folder: Path, run: Path, *, rule: str = "", isolate: bool = False, **node: object
) -> Path:
    """Write a node's TOML file, and return its path; usually it reads in its own process, fast."""
    values = {"allow": ["SENDER"], "port": 0, "quiet": 0, "back_off": 0} | node
    lines = ["[node]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    lines += ["[[rule]]", 'name = "newborn"', f'run = "{run}"']
    if "view =" not in rule:
        lines.append('view = "A4C"')
    lines += ["saliency = false", rule or "", *([] if isolate else ["options = {}"])]
    path = folder / "node.toml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str | Path) else str(value)
