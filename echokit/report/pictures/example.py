"""One explained sequence: its frames, its saliency, and what is to be said of them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from echokit.report.documents import Json
from echokit.report.sections.checks import checks
from echokit.report.words import number
from echokit.saliency.overlay import overlay, place
from echokit.system.paths import is_below

SURE = 0.5
"""Quality of found phases from which no doubt is printed."""


@dataclass(frozen=True, slots=True)
class Phases:
    """Which frames of a sequence are at which phase of the beat."""

    systole: int | None
    diastole: int | None
    middle: tuple[int | None, int | None]
    """Half-way from systole to diastole, and half-way back."""
    sure: bool
    """False where the phases are to be doubted."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame that a picture shows."""

    frame: int | None
    """None where the sequence does not reach it."""
    name: str
    """`systole, frame 5 of 12`."""


@dataclass(frozen=True, slots=True)
class Example:
    """One explained sequence."""

    facts: Json
    """Its entry of saliency/index.json."""
    frames: UInt8[np.ndarray, "k H W"]
    """Those of the source where the run kept them, else as prepared for the network."""
    saliency: Float[np.ndarray, "k h w"]
    sector: Bool[np.ndarray, "rows columns"] | None

    @property
    def right(self) -> bool:
        """True where the label was predicted."""
        return bool(self.facts.get("label") == self.facts.get("predicted"))

    @property
    def verdict(self) -> str:
        """The prediction in words."""
        said = f"predicted {self.facts.get('predicted')}"
        if isinstance(self.facts.get("confidence"), int | float):
            said += f", confidence {number(self.facts['confidence'])}"
        return said if self.right else f"wrong: {said}"

    @property
    def flagged(self) -> bool:
        """True where its map was checked and fails."""
        found = checks(self.facts.get("scores"))
        return found is not None and not found.passed

    @property
    def checked(self) -> str:
        """Whether its map passes the checks, in words."""
        if checks(self.facts.get("scores")) is None:
            return "Map not checked"
        return "Map fails its checks: do not read it" if self.flagged else "Map passes its checks"

    def coloured(self, frame: int) -> UInt8[np.ndarray, "H W 3"]:
        """A frame under its saliency."""
        grey = self.frames[frame]
        placed = place(self.saliency[frame], (grey.shape[0], grey.shape[1]), None, self.sector)
        return overlay(grey, placed)

    def moments(self, phases: Sequence[str]) -> list[Moment]:
        """The frames of some phases of the beat, in their order.

        Where the sequence has none of them, frames at even distances stand in their place.

        Args:
            phases: `systole`, `diastole`, or `middle` for the next half-way between them.
        """
        k, stated = len(self.frames), phases_of(self.facts, len(self.frames))
        between = iter(stated.middle)
        known = {"systole": stated.systole, "diastole": stated.diastole}
        frames = [next(between, None) if p == "middle" else known[p] for p in phases]
        if all(frame is None for frame in frames):
            steps = max(len(phases) - 1, 1)
            even = [round(i * (k - 1) / steps) for i in range(len(phases))]
            even = even if len(phases) > 1 else [k // 2]
            return [Moment(frame, self.counted(frame)) for frame in even]
        doubt = "" if stated.sure else "?"
        names = ["mid" if phase == "middle" else phase for phase in phases]
        return [
            Moment(f, name if f is None else f"{name}{doubt}, {self.counted(f)}")
            for f, name in zip(frames, names, strict=True)
        ]

    def counted(self, frame: int) -> str:
        """A frame as a reader counts: the first is 1, of as many as the sequence has."""
        return f"frame {frame + 1} of {len(self.frames)}" if len(self.frames) > 1 else "one frame"


def read_example(root: Path, facts: Json) -> Example | str:
    """Read the arrays of one explained sequence, or say why they cannot be drawn."""
    if not facts.get("array"):
        return "saliency/index.json names no array"
    path = root / str(facts["array"])
    if not is_below(root, path):
        return "its array lies outside the run"
    try:
        with np.load(path) as arrays:
            frames, saliency = arrays["frames"], arrays["saliency"]
            sector = arrays["sector"].astype(bool) if "sector" in arrays else None
            if sector is not None and sector.shape != saliency.shape[1:]:
                return f"its sector {sector.shape} does not fit its saliency {saliency.shape}"
            if "shown" in arrays:  # the source's own resolution
                frames = arrays["shown"]
                sector = arrays.get("shown_sector", sector)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        return f"its array cannot be read ({type(error).__name__})"
    if frames.ndim != 3 or frames.dtype != np.uint8 or not frames.size:
        return f"its frames are {frames.dtype} {frames.shape}, not uint8 (time, row, column)"
    if saliency.ndim != 3 or len(saliency) != len(frames) or not np.isfinite(saliency).all():
        return f"its saliency {saliency.shape} does not fit its frames {frames.shape}"
    return Example(facts, frames, saliency.astype(np.float32), sector)


def phases_of(facts: Json, k: int) -> Phases:
    """The phases that the index states, each a frame of the sequence of `k` frames or None."""
    stated = facts.get("phases")
    stated = stated if isinstance(stated, Mapping) else {}

    def frame(value: object) -> int | None:
        return value if isinstance(value, int) and 0 <= value < k else None

    between = stated.get("between")
    first, second = between if isinstance(between, list) and len(between) == 2 else (None, None)
    quality = stated.get("quality")
    return Phases(
        systole=frame(stated.get("systole")),
        diastole=frame(stated.get("diastole")),
        middle=(frame(first), frame(second)),
        sure=isinstance(quality, int | float) and quality >= SURE,
    )
