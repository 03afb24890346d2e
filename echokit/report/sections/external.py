"""The external test cohort beside the cross-validation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from echokit.errors import RecipeError
from echokit.evaluation.metric_names import HEADLINE, NAMES
from echokit.report.documents import Json
from echokit.report.paper.publication import publication
from echokit.report.results import Results
from echokit.report.sections.labels import LabelBlock, label_view
from echokit.report.words import interval, mean, number, plural, signed


@dataclass(frozen=True, slots=True)
class Beside:
    """One metric of a view or view set in both cohorts."""

    inside: str
    """In cross-validation."""
    outside: str
    """On the external cohort."""
    interval: str
    """95 % interval of the external figure."""
    difference: str
    """External minus cross-validation."""
    difference_interval: str
    lower: bool
    """Whether the interval of the difference lies below 0."""


@dataclass(frozen=True, slots=True)
class ExternalLine:
    """One view or view set."""

    task: str
    approach: str
    views: str
    is_set: bool
    cells: tuple[Beside, ...]
    """One for each of `HEADLINE`."""
    inside: int | None
    """Held-out patients of cross-validation."""
    outside: int
    """Patients of the external cohort."""


@dataclass(frozen=True, slots=True)
class External:
    """The section of the page, and the lines of the terminal."""

    cohort: str
    """Who was tested, in words."""
    sentences: tuple[str, ...]
    """The difference of the best row of each task."""
    lines: tuple[ExternalLine, ...]
    headings: tuple[str, ...]
    labels: tuple[tuple[str, tuple[LabelBlock, ...]], ...]
    """(task, its figures at each label)."""
    notes: tuple[str, ...]

    @property
    def groups(self) -> list[tuple[str, list[ExternalLine]]]:
        """The lines of each task and approach, in order."""
        named = groupby(self.lines, lambda line: f"{line.task}, {line.approach}")
        return [(name, list(lines)) for name, lines in named]


def external_view(results: Results) -> External | None:
    """Gather what a run says of its external test cohort; None without one."""
    document = results.external
    if not document.get("rows"):
        return None
    lines = tuple(_lines(results))
    tasks = tuple(dict.fromkeys(line.task for line in lines))
    return External(
        cohort=_cohort(document),
        sentences=tuple(_sentence(lines, task, several=len(tasks) > 1) for task in tasks),
        lines=lines,
        headings=tuple(NAMES[metric].heading for metric in HEADLINE),
        labels=tuple((task, label_view(document["rows"], task)) for task in tasks),
        notes=(*_fall(results), *map(str, document.get("notes") or ())),
    )


def _lines(results: Results) -> Iterator[ExternalLine]:
    def key(row: Json) -> tuple[str, str, str]:
        return str(row["task"]), str(row["approach"]), str(row["views"])

    inside = {key(row): row for row in results.rows}
    changes = {key(row): row for row in results.external["differences"]}
    for row in results.external["rows"]:
        own, change = inside.get(key(row), {}), changes.get(key(row), {})
        yield ExternalLine(
            *key(row),
            is_set=results.is_set(str(row["views"])),
            cells=tuple(_beside(own.get(m), row.get(m), change.get(m)) for m in HEADLINE),
            inside=own.get("n_subjects"),
            outside=int(row.get("n_subjects") or 0),
        )


def _beside(inside: Json | None, outside: Json | None, change: Json | None) -> Beside:
    value, ends = mean(change), (change or {}).get("ci95")
    said = f"{signed(ends[0])} to {signed(ends[1])}" if ends else "–"
    return Beside(
        inside=number(mean(inside)),
        outside=number(mean(outside)),
        interval=interval(outside),
        difference="–" if value is None else signed(value),
        difference_interval=said,
        lower=bool(ends and ends[1] < 0),
    )


def _sentence(lines: tuple[ExternalLine, ...], task: str, several: bool) -> str:
    """State the first metric of the row with the highest figure in cross-validation."""
    mine = [line for line in lines if line.task == task]
    best = max((x for x in mine if x.is_set), key=_rank, default=max(mine, key=_rank))
    cell, name = best.cells[0], NAMES[HEADLINE[0]].heading
    what = f"{best.views}, {best.approach}" if len({x.approach for x in mine}) > 1 else best.views
    verdict = "lower beyond chance" if cell.lower else "a difference that chance can explain"
    return (
        f"{f'{task}, ' if several else ''}{what}: {name} {cell.inside} in cross-validation, "
        f"{cell.outside} (95 % interval {cell.interval}) on the external cohort: "
        f"{cell.difference} ({cell.difference_interval}), {verdict}."
    )


def _rank(line: ExternalLine) -> str:
    return line.cells[0].inside


def _cohort(document: Json) -> str:
    facts = document.get("cohort") or {}
    used = f"{plural(int(facts.get('patients') or 0), 'patient')}, "
    used += plural(int(facts.get("clips") or 0), "clip")
    rejected = int(facts.get("rejected") or 0)
    kind = " of a synthetic cohort" if document.get("synthetic") else ""
    return f"{used}{kind}{f'; {rejected} rejected, listed in external.csv' if rejected else ''}"


def _fall(results: Results) -> Iterator[str]:
    try:
        paper = publication(results.recipe)
    except RecipeError:  # the page says it beside the published figures
        return
    if paper and paper.fall:
        yield f"For comparison: {paper.fall}."
