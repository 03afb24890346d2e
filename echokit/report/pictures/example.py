"""One explained sequence: its frames, its saliency, and what is to be said of them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from echokit.report.pictures.sheet import ALARM, QUIET
from echokit.report.sections.checks import checks
from echokit.report.words import number
from echokit.saliency.overlay import overlay, place

SURE = 0.5
"""Quality of found phases from which no doubt is printed."""


@dataclass(frozen=True, slots=True)
class Example:
    """One explained sequence."""

    facts: Mapping[str, Any]
    """Its entry of saliency/index.json."""
    frames: UInt8[np.ndarray, "k H W"]
    saliency: Float[np.ndarray, "k h w"]
    sector: Bool[np.ndarray, "h w"] | None

    @property
    def right(self) -> bool:
        """True where the label was predicted."""
        return bool(self.facts.get("label") == self.facts.get("predicted"))

    @property
    def verdict(self) -> tuple[str, str]:
        """The prediction in words, and the colour of the words."""
        said = f"predicted {self.facts.get('predicted')}"
        if isinstance(self.facts.get("confidence"), int | float):
            said += f", confidence {number(self.facts['confidence'])}"
        return (said, QUIET) if self.right else (f"wrong: {said}", ALARM)

    @property
    def checked(self) -> tuple[str, str]:
        """Whether its map passes the checks, in words, and their colour."""
        found = checks(self.facts.get("scores"))
        if found is None:
            return "Map not checked", QUIET
        if found.passed:
            return "Map passes its checks", QUIET
        return "Map fails its checks: do not read it", ALARM

    def pair(self, frame: int) -> tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W 3"]]:
        """A frame as it is, and under its saliency."""
        grey = self.frames[frame]
        placed = place(self.saliency[frame], (grey.shape[0], grey.shape[1]), None, self.sector)
        return np.repeat(grey[..., None], 3, axis=2), overlay(grey, placed)

    def systole(self) -> tuple[int, str]:
        """The frame that Figure 2 shows, and its name: end-systole, else the middle one."""
        phases = phases_of(self.facts, len(self.frames))
        if phases["systole"] is None:
            return len(self.frames) // 2, self.counted(len(self.frames) // 2)
        doubt = "" if phases["sure"] else "?"
        return phases["systole"], f"systole{doubt}, {self.counted(phases['systole'])}"

    def counted(self, frame: int) -> str:
        """A frame as a reader counts: the first is 1, of as many as the sequence has."""
        return f"frame {frame + 1} of {len(self.frames)}" if len(self.frames) > 1 else "one frame"


def read_example(root: Path, facts: Mapping[str, Any]) -> Example | str:
    """Read the arrays of one explained sequence, or say why they cannot be drawn."""
    if not facts.get("array"):
        return "saliency/index.json names no array"
    path = (root / str(facts["array"])).resolve()
    if not path.is_relative_to(root.resolve()):
        return "its array lies outside the run"
    try:
        with np.load(path) as arrays:
            frames, saliency = arrays["frames"], arrays["saliency"]
            sector = arrays["sector"].astype(bool) if "sector" in arrays else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        return f"its array cannot be read ({type(error).__name__})"
    if frames.ndim != 3 or frames.dtype != np.uint8 or not frames.size:
        return f"its frames are {frames.dtype} {frames.shape}, not uint8 (time, row, column)"
    if saliency.ndim != 3 or len(saliency) != len(frames) or not np.isfinite(saliency).all():
        return f"its saliency {saliency.shape} does not fit its frames {frames.shape}"
    if sector is not None and sector.shape != saliency.shape[1:]:
        return f"its sector {sector.shape} does not fit its saliency {saliency.shape}"
    return Example(facts, frames, saliency.astype(np.float32), sector)


def phases_of(facts: Mapping[str, Any], k: int) -> dict[str, Any]:
    """The phases that the index states, each a frame of the sequence or None; and if surely."""
    stated = facts.get("phases")
    stated = stated if isinstance(stated, Mapping) else {}

    def frame(value: object) -> int | None:
        return value if isinstance(value, int) and 0 <= value < k else None

    between = stated.get("between")
    first, second = between if isinstance(between, list) and len(between) == 2 else (None, None)
    quality = stated.get("quality")
    return {
        "systole": frame(stated.get("systole")),
        "diastole": frame(stated.get("diastole")),
        "between": (frame(first), frame(second)),
        "sure": isinstance(quality, int | float) and quality >= SURE,
    }
