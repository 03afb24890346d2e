"""Voting rules side by side, as the run's page shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from echokit.evaluation.metric_names import HEADLINE, NAMES
from echokit.evaluation.rows import RuleRow, RuleSummary, TaskSummary
from echokit.report.charts.differences import (
    Difference,
    differences_chart,
    differences_words,
)
from echokit.report.charts.figure import to_svg
from echokit.report.results import Results
from echokit.report.sections.fusion_words import (
    Winner,
    corrected,
    difference_words,
    interval_words,
    spoken,
    verdict,
    winners,
)
from echokit.report.words import is_best, listing, mean, mean_sd, number, plural


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of a table."""

    value: str
    best: bool


@dataclass(frozen=True, slots=True)
class RuleLine:
    """What one rule reached."""

    name: str
    learned: bool
    all_views: tuple[Cell, ...]
    """One for each of `HEADLINE`."""
    by_size: tuple[Cell, ...]
    """Mean F1-score over the subsets of 1, 2, ... views."""
    difference: str
    """From the baseline, in F1-score on all views."""
    interval: str
    """Of the difference, in words; empty where there is none."""


@dataclass(frozen=True, slots=True)
class SubsetLine:
    """The F1-score of every rule on one subset of the views."""

    views: str
    subjects: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class RulesTable:
    """The rules in one task and approach."""

    title: str
    verdict: tuple[str, ...]
    """Sentences."""
    people: str
    sizes: tuple[str, ...]
    lines: tuple[RuleLine, ...]
    differences: Markup
    """A drawing of the differences from the baseline; empty where there is none."""
    subsets: tuple[SubsetLine, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FusionView:
    """The section of the page."""

    synthetic: bool
    baseline: str
    headings: tuple[str, ...]
    winners: tuple[Winner, ...]
    tables: tuple[RulesTable, ...]


def fusion_view(results: Results) -> FusionView | None:
    """Gather what fusion.json says; None where there is none."""
    summaries: list[TaskSummary] = results.fusion.get("summary") or []
    tables = tuple(_table(results, summary) for summary in summaries if summary["methods"])
    if not tables:
        return None
    return FusionView(
        synthetic=results.synthetic or bool(results.fusion.get("synthetic")),
        baseline=spoken(str(summaries[0].get("baseline", ""))),
        headings=tuple(NAMES[metric].heading for metric in HEADLINE),
        winners=winners(summaries),
        tables=tables,
    )


def _table(results: Results, summary: TaskSummary) -> RulesTable:
    place = (summary["task"], summary["approach"])
    rows: list[RuleRow] = [r for r in results.fusion["rows"] if (r["task"], r["approach"]) == place]
    methods = summary["methods"]
    names = [str(one["method"]) for one in methods]
    sizes = list(dict.fromkeys(size for one in methods for size in one.get("by_size") or ()))
    everything = max(rows, key=lambda row: len(row["views"]), default=None)
    return RulesTable(
        title=f"{place[0]}, {place[1]}".capitalize(),
        verdict=tuple(verdict(summary)),
        people=_people(everything),
        sizes=tuple(plural(int(size), "view") for size in sizes),
        lines=tuple(_line(one, methods, sizes) for one in methods),
        differences=_differences(methods, spoken(str(summary.get("baseline", "")))),
        subsets=tuple(_subsets(rows, names)),
        notes=tuple(_notes(results, summary)),
    )


def _line(one: RuleSummary, methods: Sequence[RuleSummary], sizes: Sequence[str]) -> RuleLine:
    def headline(row: RuleSummary, metric: str) -> float | None:
        return mean(row["all_views"].get(metric))

    def sized(row: RuleSummary, size: str) -> float | None:
        value = ((row.get("by_size") or {}).get(size) or {}).get("f1")
        return None if value is None else float(value)

    return RuleLine(
        name=spoken(str(one["method"])),
        learned=bool(one.get("learned")),
        all_views=tuple(
            Cell(
                mean_sd(one["all_views"].get(metric)),
                is_best(headline(one, metric), [headline(row, metric) for row in methods]),
            )
            for metric in HEADLINE
        ),
        by_size=tuple(
            Cell(
                number(sized(one, size)),
                is_best(sized(one, size), [sized(row, size) for row in methods]),
            )
            for size in sizes
        ),
        difference=difference_words(one.get("lead")),
        interval=interval_words(one.get("lead")),
    )


def _subsets(rows: Sequence[RuleRow], names: Sequence[str]) -> Iterator[SubsetLine]:
    by_views: dict[tuple[str, ...], dict[str, RuleRow]] = {}
    for row in rows:
        by_views.setdefault(tuple(row["views"]), {})[str(row["method"])] = row
    for views, found in by_views.items():
        values = [mean(found[name].get("f1")) if name in found else None for name in names]
        cells = tuple(Cell(number(value), is_best(value, values)) for value in values)
        subjects = max(int(row.get("n_subjects") or 0) for row in found.values())
        yield SubsetLine(" + ".join(views), subjects, cells)


def differences(methods: Sequence[RuleSummary]) -> tuple[Difference, ...]:
    """Read how far each rule is ahead of the baseline, where its interval is corrected."""
    return tuple(
        Difference(spoken(one["method"]), lead["mean"], *ends, clear=lead["excludes_zero"])
        for one in methods
        if (lead := one.get("lead")) and (ends := corrected(lead))
    )


def _differences(methods: Sequence[RuleSummary], baseline: str) -> Markup:
    rows = differences(methods)
    return to_svg(differences_chart(rows), differences_words(rows, baseline)) if rows else Markup()


def _people(row: RuleRow | None) -> str:
    if row is None:
        return "No held-out patient"
    subjects, splits = int(row.get("n_subjects") or 0), int(row.get("n_splits") or 0)
    return f"{plural(subjects, 'held-out patient')} in {plural(splits, 'split')}"


def _notes(results: Results, summary: TaskSummary) -> Iterator[str]:
    """Name the training patients of rules that learn, and the rules that were left out."""
    learned = [spoken(str(one["method"])) for one in summary["methods"] if one.get("learned")]
    if learned:
        judged = int(summary.get("n_training_subjects") or 0)
        yield (
            f"{listing(learned).capitalize()}: fitted in each split on training patients, with "
            f"predictions of networks that had not seen them ({plural(judged, 'patient')} in "
            "all). The other rules are not fitted."
        )
    place = (summary["task"], summary["approach"])
    left_out: dict[str, list[str]] = {}
    for one in results.fusion.get("skipped") or ():
        if (one.get("task"), one.get("approach")) == place:
            left_out.setdefault(str(one.get("reason")), []).append(spoken(str(one.get("method"))))
    for reason, names in left_out.items():
        yield f"Left out: {listing(names)}, as {reason}."
