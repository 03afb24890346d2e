"""Figures 2 and 3 of the paper, drawn from a run's own saliency: pictures for a manuscript."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from echokit.files import whole
from echokit.report.embed import Album, Picture
from echokit.report.overlay import overlay, place
from echokit.report.results import Results
from echokit.report.sheet import ALARM, GAP, QUIET, Strip, colour_bar, stack, tiles, words
from echokit.report.words import SYNTHETIC, number

FOLDER = Path("report", "figures")
"""Where figures are kept, within a run."""
SURE = 0.5
"""Quality of found phases from which no doubt is printed."""


@dataclass(frozen=True, slots=True)
class PaperFigure:
    """One figure, as the run's page shows it."""

    number: int
    """The paper's: 2 for labels beside each other, 3 for the course of a beat."""
    about: str
    """Its view, task and approach."""
    note: str
    """What it shows, for those who cannot see it too."""
    file: str
    """Where it is, within the run."""
    picture: Picture | None
    """None where it did not fit into the page."""

    @property
    def link(self) -> str:
        """Where it is, seen from the page."""
        return quote(str(Path(self.file).relative_to(FOLDER.parent).as_posix()))


@dataclass(frozen=True, slots=True)
class PaperFigures:
    """Every figure that was drawn, and why others were not."""

    figures: tuple[PaperFigure, ...]
    skipped: tuple[str, ...]
    """Sentences."""


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

    def pair(self, frame: int) -> tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W 3"]]:
        """A frame as it is, and under its saliency."""
        grey = self.frames[frame]
        placed = place(self.saliency[frame], (grey.shape[0], grey.shape[1]), None, self.sector)
        return np.repeat(grey[..., None], 3, axis=2), overlay(grey, placed)

    def systole(self) -> tuple[int, str]:
        """The frame that Figure 2 shows, and its name: end-systole, else the middle one."""
        phases = _phases(self.facts, len(self.frames))
        if phases["systole"] is None:
            return len(self.frames) // 2, f"frame {len(self.frames) // 2 + 1}"
        doubt = "" if phases["sure"] else "?"
        return phases["systole"], f"systole{doubt}, frame {phases['systole'] + 1}"


def paper_figures(results: Results, album: Album) -> PaperFigures | None:
    """Draw Figure 2 of every explained view and Figure 3 of every task and approach, as PNG.

    Args:
        results: the run; pictures are written to its `report/figures`.
        album: the page's pictures; a figure that does not fit is named instead.

    Returns:
        The figures; None where nothing was explained.
    """
    if not results.maps:
        return None
    drawn: list[PaperFigure] = []
    skipped: dict[str, list[str]] = {}
    for (task, approach), maps in _groups(results.maps, "task", "approach").items():
        examples: list[Example] = []
        for facts in maps:
            example = read_example(results.root, facts)
            if isinstance(example, Example):
                examples.append(example)
            else:
                name = f"{facts['view']} {facts.get('label')} ({task}, {approach})"
                skipped.setdefault(example, []).append(name)
        if not examples:
            continue
        labels = results.classes(str(task)) or tuple(
            dict.fromkeys(str(example.facts.get("label")) for example in examples)
        )
        views = _groups([{"view": e.facts["view"], "example": e} for e in examples], "view")
        for (view,), found in views.items():
            shown = {e["example"].facts.get("label"): e["example"] for e in reversed(found)}
            about = f"{view}, {task}, {approach}"
            sheet = figure_2(shown, labels, f"{view}, {task}", results.synthetic)
            note = "Frames of a held-out patient of each label, beside them where the network looks"
            file = _write(results.root, sheet, "figure-2", task, approach, view)
            drawn.append(PaperFigure(2, about, note, file, album.still(results.root / file, 560)))
        if chosen := choose_beat(examples, labels):
            about = f"{chosen.facts['view']}, {task}, {approach}"
            sheet = figure_3(chosen, f"{chosen.facts['view']}, {task}", results.synthetic)
            note = "Frames of one held-out patient in the order of the beat, true label "
            note += str(chosen.facts.get("label"))
            file = _write(results.root, sheet, "figure-3", task, approach, chosen.facts["view"])
            drawn.append(PaperFigure(3, about, note, file, album.still(results.root / file, 1000)))
    why = tuple(f"{', '.join(names)}: {reason}." for reason, names in skipped.items())
    return PaperFigures(tuple(drawn), why)


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


def choose_beat(examples: Sequence[Example], labels: Sequence[str]) -> Example | None:
    """The sequence that Figure 3 shows: right, of the most severe label, PLAX if there is one.

    Among those the surest. None where every sequence is a single frame.
    """

    def rank(example: Example) -> tuple[bool, int, bool, float]:
        label, sure = example.facts.get("label"), example.facts.get("confidence")
        severity = labels.index(label) if label in labels else -1
        plax = example.facts["view"] == "PLAX"
        return example.right, severity, plax, float(sure if isinstance(sure, int | float) else 0)

    return max((e for e in examples if len(e.frames) > 1), key=rank, default=None)


def figure_2(
    shown: Mapping[Any, Example], labels: Sequence[str], title: str, synthetic: bool
) -> Image.Image:
    """A row for each label, least severe first: the systolic frame, and under its saliency.

    Systole, because that is when a pressed right ventricle flattens the septum (section 3).
    """
    size = 420
    strips: list[Strip] = []
    for label in labels:
        example = shown.get(label)
        if example is None:
            strips.append(words(label, "no sequence was explained", bold=True, right_ink=QUIET))
            continue
        frame, name = example.systole()
        said, ink = example.verdict
        heading = words(label, name, bold=True, right_ink=QUIET)
        strips += [heading, tiles(example.pair(frame), size), words(said, ink=ink), words(size=10)]
    head = _head(title, next(iter(shown.values())), synthetic)
    return stack([*head, *strips, colour_bar(), *_foot(synthetic)], width=2 * size + GAP)


def figure_3(example: Example, title: str, synthetic: bool) -> Image.Image:
    """Systole, mid, diastole, mid in one row, and below each the same under its saliency.

    Where a sequence holds no beat, frames at even distances stand in their place.
    """
    k = len(example.frames)
    phases = _phases(example.facts, k)
    turns: tuple[int | None, ...] = (
        phases["systole"],
        phases["between"][0],
        phases["diastole"],
        phases["between"][1],
    )
    names = ["systole", "mid", "diastole", "mid"]
    if all(turn is None for turn in turns):
        turns = tuple(round(i * (k - 1) / 3) for i in range(4))
        names = ["", "", "", ""]
    doubt = "" if phases["sure"] or not names[0] else "?"
    pairs = [None if turn is None else example.pair(turn) for turn in turns]
    heads = [
        f"{name + doubt}, frame {turn + 1}".removeprefix(", ") if turn is not None else name
        for name, turn in zip(names, turns, strict=True)
    ]
    said, ink = example.verdict
    size = 300
    rows = [tiles([pair and pair[row] for pair in pairs], size) for row in (0, 1)]
    return stack(
        [
            *_head(title, example, synthetic),
            words(f"true {example.facts.get('label')}", said, right_ink=ink),
            words(columns=heads),
            *rows,
            colour_bar(),
            *_foot(synthetic),
        ],
        width=4 * size + 3 * GAP,
    )


def _head(title: str, example: Example, synthetic: bool) -> list[Strip]:
    how = f"{example.facts['approach']}, {example.facts.get('method', 'saliency')}"
    mark = "synthetic" if synthetic else ""
    return [
        words(title, mark, bold=True, right_ink=ALARM, size=34),
        words(how, ink=QUIET, size=24),
        words(size=8),
    ]


def _foot(synthetic: bool) -> list[Strip]:
    return [words(SYNTHETIC, ink=ALARM, size=22)] if synthetic else []


def _phases(facts: Mapping[str, Any], k: int) -> dict[str, Any]:
    """The phases that the index states, each a frame of the sequence or None."""
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


def _groups(
    maps: Iterable[Mapping[str, Any]], *keys: str
) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    """Entries by the values of some keys, in the order of the file."""
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for facts in maps:
        found.setdefault(tuple(facts[key] for key in keys), []).append(facts)
    return found


def file_name(*parts: object, suffix: str) -> str:
    """A file name of some words, of plain characters alone."""
    return "-".join(re.sub(r"[^\w-]+", "_", str(part)) for part in parts) + suffix


def _write(root: Path, sheet: Image.Image, *parts: object) -> str:
    file = FOLDER / file_name(*parts, suffix=".png")
    with whole(root / file) as partial:
        sheet.save(partial, "PNG", optimize=True, dpi=(300, 300))
    return file.as_posix()
