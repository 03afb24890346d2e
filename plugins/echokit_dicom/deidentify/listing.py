"""What became of every file: `listing.json` and `listing.csv`, in which nobody is named."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from echokit_dicom.deidentify.header import METHODS, Changes
from echokit_dicom.deidentify.profile import EDITION

CLEANED, LEFT_OUT = "cleaned", "left out"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file."""

    file: str
    """Its number, `file 3`, in the order of names; a key file says which file that is."""
    status: str
    """`cleaned` or `left out`."""
    reason: str = ""
    """Why it was left out; empty if it was cleaned."""
    patient: str = ""
    """Pseudonym of the patient, where it is known."""
    study: str = ""
    """Twelve digits that stand for the study."""
    copy: str = ""
    """The cleaned file, below the folder of clips."""
    view: str | None = None
    """Canonical view."""
    frames: int = 0
    """Number of frames."""
    rows: int = 0
    """Height of a frame in pixels."""
    columns: int = 0
    """Width of a frame in pixels."""
    kept: float = 0.0
    """Share of the pixels that are kept, those of the sector; all others are 0 in every frame."""
    marks: float = 0.0
    """Share of the pixels that lie in the sector and are 0, because a still mark was there."""
    colour: bool = False
    """Whether the copy is in colour."""
    synthetic: bool = False
    """Whether the clip is simulated."""
    attributes: Changes | None = None
    """What became of the DICOM attributes; None of a video, whose metadata is left out whole."""

    def as_json(self) -> dict[str, Any]:
        """Return what is known, in plain values."""
        known = {key: value for key, value in asdict(self).items() if value not in ("", None)}
        if self.status != CLEANED:
            return {
                key: known[key] for key in ("file", "status", "reason", "patient") & known.keys()
            }
        if self.attributes is not None:
            by_action: dict[str, list[str]] = {}
            for keyword, action in self.attributes.removed:
                by_action.setdefault(action, []).append(keyword)
            known["attributes"] |= {"removed": by_action}
        return known


def write_listing(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write `listing.json`, all that is known, and `listing.csv`, one line for each file."""
    said = {
        "schema": 1,
        "methods": dict(METHODS),
        "table": EDITION,
        "cleaned": sum(one.status == CLEANED for one in outcomes),
        "left_out": sum(one.status == LEFT_OUT for one in outcomes),
        "files": [one.as_json() for one in outcomes],
    }
    (folder / "listing.json").write_text(json.dumps(said, indent=2) + "\n", "utf-8")
    head = (
        *("file", "status", "reason", "patient", "study", "copy", "view", "frames"),
        *("kept", "marks", "removed attributes", "private attributes"),
    )
    with (folder / "listing.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(map(_line, outcomes))


def write_manifest(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the manifest of the cleaned clips, by which echokit reads them."""
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("patient", "view", "file", "synthetic"))
        for one in outcomes:
            if one.status == CLEANED:
                writer.writerow((one.patient, one.view or "", one.copy, "1" * one.synthetic))


def _line(one: Outcome) -> tuple[object, ...]:
    changes = one.attributes
    cleaned = one.status == CLEANED
    return (
        *(one.file, one.status, one.reason, one.patient, one.study, one.copy, one.view or ""),
        *((one.frames, f"{one.kept:.4f}", f"{one.marks:.4f}") if cleaned else ("", "", "")),
        *((len(changes.removed), changes.private) if changes else ("", "")),
    )
