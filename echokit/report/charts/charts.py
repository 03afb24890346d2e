"""The charts of a run's page: metrics at a glance, ROC curves, courses of training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from echokit.report.charts.svg import Plot, colour, drawing, text
from echokit.report.judged import Curve
from echokit.report.results import History
from echokit.report.words import interval, mean, mean_sd, number

UNIT = (0.0, 1.0)
FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
HALVES = (0.0, 0.5, 1.0)


def gauge(cell: Mapping[str, Any], chance: float | None) -> Markup:
    """One figure on a line from 0 to 1, with its interval and a tick where guessing lies."""
    plot = Plot(200, 22, UNIT, UNIT, left=6, right=6, top=0, bottom=0)
    value = mean(cell) or 0.0
    parts = [plot.line([(0, 0.5), (1, 0.5)], "track")]
    if chance is not None:
        parts.append(plot.line([(chance, 0.1), (chance, 0.9)], "chance"))
    if cell.get("ci95"):
        low, high = cell["ci95"]
        parts.append(plot.line([(low, 0.5), (high, 0.5)], "whisker c0"))
    parts.append(plot.dot(value, 0.5, "c0"))
    guess = "" if chance is None else f"; guessing lies at {number(chance)}"
    return drawing(200, 22, f"{number(value)}, 95 % interval {interval(cell)}{guess}", parts)


def forest(rows: Sequence[Mapping[str, Any]], metric: str, approaches: Sequence[str]) -> Markup:
    """One metric of every view and view set, with 95 % intervals, approaches side by side."""
    names = list(dict.fromkeys(str(row["views"]) for row in rows))
    step = 16 * max(len(approaches), 1) + 12
    height = step * len(names) + 34
    plot = Plot(460, height, UNIT, (len(names), 0), left=64, right=92)
    parts = [plot.grid(FIFTHS, ())]
    for row in rows:
        value = mean(row.get(metric))
        if value is None:
            continue
        which = approaches.index(str(row["approach"]))
        y = names.index(str(row["views"])) + 0.5
        y += (which - (len(approaches) - 1) / 2) * 16 / step
        ends = row[metric].get("ci95")
        ink = colour(which, max(len(approaches), 2))
        if ends:
            parts.append(plot.line([(ends[0], y), (ends[1], y)], f"whisker {ink}"))
        parts.append(plot.dot(value, y, ink + (" hollow" if which else "")))
        parts.append(text(382, plot.at(0, y)[1] + 3.5, mean_sd(row[metric]), "value"))
    for i, name in enumerate(names):
        parts.append(text(56, plot.at(0, i + 0.5)[1] + 3.5, name, "name end"))
    said = "; ".join(
        f"{row['views']} {row['approach']} {mean_sd(row.get(metric))}, {interval(row.get(metric))}"
        for row in rows
    )
    return drawing(460, height, said, parts)


def roc(curves: Iterable[Curve], classes: Sequence[str], views: str) -> Markup:
    """ROC curves of one view, one line per label."""
    plot = Plot(210, 210, UNIT, UNIT, left=28, bottom=34)
    parts = [
        plot.grid(HALVES, HALVES),
        plot.line([(0, 0), (1, 1)], "guess"),
        text(118, 205, "1 − specificity", "tick mid"),
    ]
    said = []
    for curve in curves:
        points = zip(curve.fpr.tolist(), curve.tpr.tolist(), strict=True)
        ink = colour(classes.index(curve.label), len(classes))
        parts.append(plot.line(points, f"line {ink}"))
        said.append(f"{curve.label} {number(curve.area)}")
    return drawing(210, 210, f"{views}: area under the curve {', '.join(said) or '–'}", parts)


def training(histories: Sequence[History]) -> Markup:
    """The loss of every split of one network over the epochs."""
    last = max(int(h.epochs[-1].get("epoch", len(h.epochs))) for h in histories)
    first = min(int(h.epochs[0].get("epoch", 1)) for h in histories)
    losses = [[(e.get("epoch", i), e["loss"]) for i, e in enumerate(h.epochs)] for h in histories]
    finite = [loss for course in losses for _, loss in course if math.isfinite(loss)]
    top = _round_up(max(finite, default=1.0))
    span = (first, last) if last > first else (first - 1, first + 1)
    plot = Plot(210, 150, span, (0, top), left=30, bottom=34)
    grid = plot.grid(sorted({first, last}), (0, top / 2, top), "g")
    parts = [grid, text(118, 146, "epoch", "tick mid")]
    for course in losses:
        shown = [(x, y) for x, y in course if math.isfinite(y)]
        if len(shown) == 1:  # a line of one point is nothing
            parts.append(plot.dot(*shown[0], "c0"))
        parts.append(plot.line(shown, f"line c0{' thin' if len(losses) > 1 else ''}"))
    ends = ", ".join(number(course[-1][1]) for course in losses)
    return drawing(210, 150, f"training loss ends at {ends} after epoch {last}", parts)


def _round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next((m * power for m in (1, 1.5, 2, 3, 5) if m * power >= value), 10 * power)
