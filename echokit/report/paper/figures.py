"""Figures 2 and 3 of the paper, drawn from a run's own saliency: pictures for a manuscript."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from echokit.report.charts.sheets import FOLDER, file_name
from echokit.report.pictures.embed import Album, Picture
from echokit.report.pictures.example import Example, phases_of, read_example
from echokit.report.pictures.sheet import ALARM, GAP, QUIET, Strip, colour_bar, stack, tiles, words
from echokit.report.results import Results
from echokit.report.words import SYNTHETIC
from echokit.system.files import whole_file


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
            note = (
                "Frames of a held-out patient of each label, beside them where the network looks. "
            )
            checked = {label: shown[label].checked[0] for label in labels if label in shown}
            note += "; ".join(f"{label}: {said.lower()}" for label, said in checked.items())
            file = _write(results.root, sheet, "figure-2", task, approach, view)
            drawn.append(PaperFigure(2, about, note, file, album.still(results.root / file, 560)))
        if chosen := choose_beat(examples, labels):
            about = f"{chosen.facts['view']}, {task}, {approach}"
            sheet = figure_3(chosen, f"{chosen.facts['view']}, {task}", results.synthetic)
            note = "Frames of one held-out patient in the order of the beat, true label "
            note += f"{chosen.facts.get('label')}. {chosen.checked[0]}"
            file = _write(results.root, sheet, "figure-3", task, approach, chosen.facts["view"])
            drawn.append(PaperFigure(3, about, note, file, album.still(results.root / file, 1000)))
    why = tuple(f"{', '.join(names)}: {reason}." for reason, names in skipped.items())
    return PaperFigures(tuple(drawn), why)


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
        checked, its_ink = example.checked
        strips += [heading, tiles(example.pair(frame), size), words(said, ink=ink)]
        strips += [words(checked, ink=its_ink), words(size=10)]
    head = _head(title, next(iter(shown.values())), synthetic)
    return stack([*head, *strips, colour_bar(), *_foot(synthetic)], width=2 * size + GAP)


def figure_3(example: Example, title: str, synthetic: bool) -> Image.Image:
    """Systole, mid, diastole, mid in one row, and below each the same under its saliency.

    Where a sequence holds no beat, frames at even distances stand in their place.
    """
    k = len(example.frames)
    phases = phases_of(example.facts, k)
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
        f"{name + doubt}, {example.counted(turn)}".removeprefix(", ") if turn is not None else name
        for name, turn in zip(names, turns, strict=True)
    ]
    (said, ink), (checked, its_ink) = example.verdict, example.checked
    size = 300
    rows = [tiles([pair and pair[row] for pair in pairs], size) for row in (0, 1)]
    return stack(
        [
            *_head(title, example, synthetic),
            words(f"true {example.facts.get('label')}", said, right_ink=ink),
            words(columns=heads),
            *rows,
            words(checked, ink=its_ink),
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


def _groups(
    maps: Iterable[Mapping[str, Any]], *keys: str
) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    """Entries by the values of some keys, in the order of the file."""
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for facts in maps:
        found.setdefault(tuple(facts[key] for key in keys), []).append(facts)
    return found


def _write(root: Path, sheet: Image.Image, *parts: object) -> str:
    file = FOLDER / file_name(*parts, suffix=".png")
    with whole_file(root / file) as partial:
        sheet.save(partial, "PNG", optimize=True, dpi=(300, 300))
    return file.as_posix()
