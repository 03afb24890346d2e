"""Draw a publication's pictures from a run's own saliency, for the page and for a manuscript."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from matplotlib.figure import Figure

from echokit.errors import RecipeError
from echokit.recipe.published import PublishedFigure
from echokit.report.charts.sheets import FOLDER, file_name
from echokit.report.documents import Json
from echokit.report.paper.layout import DPI, beat_grid, labels_grid
from echokit.report.paper.publication import publication
from echokit.report.pictures.embed import Album, Picture
from echokit.report.pictures.example import Example, read_example
from echokit.report.results import Results
from echokit.system.files import whole_file


@dataclass(frozen=True, slots=True)
class PaperFigure:
    """One figure, as the run's page shows it."""

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
class Drawn:
    """What was drawn of one picture of the publication."""

    published: PublishedFigure
    figures: tuple[PaperFigure, ...]


@dataclass(frozen=True, slots=True)
class PaperFigures:
    """Every figure that was drawn, and why others were not."""

    drawn: tuple[Drawn, ...]
    skipped: tuple[str, ...]
    """Sentences."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What was explained of one task and approach."""

    task: str
    approach: str
    labels: tuple[str, ...]
    """Least severe first."""
    examples: tuple[Example, ...]


def paper_figures(results: Results, album: Album) -> PaperFigures | None:
    """Draw the pictures that the run's recipe names, as PNG below `report/figures`.

    Args:
        results: the run.
        album: the page's pictures; a figure that does not fit is named instead.

    Returns:
        The figures; None where the recipe names none or nothing was explained.
    """
    try:
        published = publication(results.recipe)
    except RecipeError:  # the page names it where published figures would stand
        return None
    if published is None or not published.pictures or not results.maps:
        return None
    explained, skipped = _explained(results)
    drawn = tuple(
        Drawn(asked, tuple(f for group in explained for f in _draw(results, asked, group, album)))
        for asked in published.pictures
    )
    return PaperFigures(tuple(one for one in drawn if one.figures), skipped)


def _explained(results: Results) -> tuple[list[Explained], tuple[str, ...]]:
    """The sequences whose arrays can be drawn, and sentences on those that cannot."""
    explained: list[Explained] = []
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
        labels = results.classes(task) or tuple(
            dict.fromkeys(str(example.facts.get("label")) for example in examples)
        )
        if examples:
            explained.append(Explained(task, approach, labels, tuple(examples)))
    sentences = (f"{', '.join(names)}: {reason}." for reason, names in skipped.items())
    return explained, tuple(sentences)


def _draw(
    results: Results, asked: PublishedFigure, group: Explained, album: Album
) -> Iterable[PaperFigure]:
    """Draw one picture of the publication from what was explained of a task and approach."""
    where = (group.task, group.approach)

    def put(view: str, drawing: Figure, note: str, width: int) -> PaperFigure:
        file = FOLDER / file_name(f"figure-{asked.name}", *where, view, suffix=".png")
        with whole_file(results.root / file) as partial:
            drawing.savefig(partial, format="png", dpi=DPI)
        picture = album.still(results.root / file, width)
        return PaperFigure(", ".join((view, *where)), note, file.as_posix(), picture)

    if asked.layout == "beat":
        if chosen := choose_beat(group.examples, group.labels, asked.views):
            view = str(chosen.facts["view"])
            title = f"{view}, {group.task}"
            note = "Frames of one held-out patient in the order of the beat, true label "
            note += f"{chosen.facts.get('label')}. {chosen.checked}"
            drawing = beat_grid(chosen, asked.phases, title, results.synthetic)
            yield put(view, drawing, note, 1000)
        return
    for view, shown in _by_view(group.examples).items():
        if asked.views and view not in asked.views:
            continue
        title = f"{view}, {group.task}"
        note = "Frames of a held-out patient of each label, beside them where the network looks. "
        said = {label: shown[label].checked for label in group.labels if label in shown}
        note += "; ".join(f"{label}: {words.lower()}" for label, words in said.items())
        drawing = labels_grid(shown, group.labels, asked.phases[0], title, results.synthetic)
        yield put(view, drawing, note, 560)


def choose_beat(
    examples: Sequence[Example], labels: Sequence[str], views: Sequence[str] = ()
) -> Example | None:
    """Choose the sequence of a beat: right, of the most severe label, of one of some views.

    Among those the surest. None where every sequence is a single frame.
    """

    def rank(example: Example) -> tuple[bool, int, bool, float]:
        label, sure = example.facts.get("label"), example.facts.get("confidence")
        severity = labels.index(label) if label in labels else -1
        wanted = example.facts["view"] in views
        return example.right, severity, wanted, float(sure if isinstance(sure, int | float) else 0)

    return max((e for e in examples if len(e.frames) > 1), key=rank, default=None)


def _by_view(examples: Iterable[Example]) -> dict[str, dict[str, Example]]:
    """View -> label -> the first sequence of it."""
    found: dict[str, dict[str, Example]] = {}
    for example in examples:
        of_view = found.setdefault(str(example.facts["view"]), {})
        of_view.setdefault(str(example.facts.get("label")), example)
    return found


def _groups(maps: Iterable[Json], *keys: str) -> dict[tuple[str, ...], list[Json]]:
    """Entries by the values of some keys, in the order of the file."""
    found: dict[tuple[str, ...], list[Json]] = {}
    for facts in maps:
        found.setdefault(tuple(str(facts[key]) for key in keys), []).append(facts)
    return found
