"""Subjects that are not judged, as the run's page and the terminal show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from echokit.report.charts.calibration import (
    coverage,
    coverage_words,
    mark_rule,
    read_coverage,
)
from echokit.report.charts.chart import Chart
from echokit.report.charts.figure import to_svg
from echokit.report.documents import Json
from echokit.report.results import Results
from echokit.report.words import interval, listing, mean, mean_sd, number
from echokit.voting.abstain import REASONS, AbstentionRule

CURVE, RULE = "c2", "c1"
"""Colours of the curve over all thresholds and of the rule."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the rule for abstaining leaves out of one set of views."""

    place: str
    """Task and approach."""
    views: str
    coverage: tuple[str, str]
    """Share that is judged, and its interval."""
    accuracy: tuple[str, str]
    """Accuracy of those judged, and its interval."""
    of_all: tuple[str, str]
    """Accuracy as if every subject were judged, and its interval."""
    reasons: str
    """Number of predictions that are not judged, by reason."""


@dataclass(frozen=True, slots=True)
class AbstentionView:
    """The section of the page."""

    rule: str
    """The rule in words."""
    lines: tuple[Line, ...]
    charts: tuple[Chart, ...]
    """Accuracy against coverage over all thresholds of agreement, with the rule as a mark."""


def abstention_view(results: Results) -> AbstentionView | None:
    """The section, or None where the recipe judges every subject."""
    rows = [row for row in results.rows if row.get("abstention")]
    if not rows:
        return None
    return AbstentionView(
        rule=_rule(results).words or "a condition of the recipe does not hold",
        lines=tuple(map(_line, rows)),
        charts=tuple(_charts(rows, results.calibration.get("rows") or ())),
    )


def abstention_sentences(results: Results) -> Iterator[str]:
    """Coverage and accuracy of each set of views in a sentence, for the terminal."""
    for row in results.rows:
        if row.get("abstention"):
            line = _line(row)
            yield (
                f"{line.views} ({line.place}): {line.coverage[0]} judged, accuracy "
                f"{line.accuracy[0]} of these and {line.of_all[0]} of all; not judged: "
                f"{line.reasons}"
            )


def _rule(results: Results) -> AbstentionRule:
    """Read the recipe's `[aggregate.abstain]`."""
    table = (results.recipe.get("aggregate") or {}).get("abstain") or {}
    return AbstentionRule(
        views=int(table.get("views") or 1),
        agreement=float(table.get("agreement") or 0),
        confidence=float(table.get("confidence") or 0),
    )


def _line(row: Json) -> Line:
    figures = row["abstention"]
    counted = [f"{REASONS.get(name, name)} {n}" for name, n in figures["reasons"].items()]
    return Line(
        place=f"{row['task']}, {row['approach']}",
        views=str(row["views"]),
        coverage=_cell(figures["coverage"]),
        accuracy=_cell(figures["accuracy"]),
        of_all=_cell(figures["accuracy_of_all"]),
        reasons=f"{sum(figures['reasons'].values())}"
        + (f" ({listing(counted)})" if counted else ""),
    )


def _cell(figure: Json | None) -> tuple[str, str]:
    return mean_sd(figure), interval(figure)


def _charts(rows: Iterable[Json], calibrated: Iterable[Json]) -> Iterator[Chart]:
    """Draw the curve over all thresholds of agreement, from calibration.json, with the rule."""
    curves = {_place(row): row["vote"]["selective"] for row in calibrated}
    for row in rows:
        figures, curve = row["abstention"], curves.get(_place(row))
        judged, right = mean(figures["coverage"]), mean(figures["accuracy"])
        if curve is None or judged is None or right is None:
            continue
        line = read_coverage("by agreement", CURVE, curve)
        figure = coverage([line])
        mark_rule(figure, judged, right, RULE)
        views = str(row["views"])
        words = f"{coverage_words([line], views)}; the rule judges {number(judged)}, accuracy "
        yield Chart(
            views,
            f"{row['task']}, {row['approach']}",
            to_svg(figure, words + number(right)),
            ((CURVE, "every threshold of agreement"), (RULE, "the rule")),
        )


def _place(row: Json) -> tuple[str, str, str]:
    return str(row["task"]), str(row["approach"]), str(row["views"])
