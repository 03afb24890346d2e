"""Draw single figures and metrics by view as SVG by hand: they take every colour from the page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from echokit.report.charts.svg import Plot, colour, drawing, text
from echokit.report.documents import Json
from echokit.report.words import interval, mean, mean_sd, number

UNIT = (0.0, 1.0)
FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def gauge(cell: Json, chance: float | None) -> Markup:
    """Draw one figure on a line from 0 to 1, with its interval and a tick where guessing lies."""
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


def forest(rows: Sequence[Json], metric: str, approaches: Sequence[str]) -> Markup:
    """Draw one metric of every view and view set, with 95 % intervals, approaches side by side.

    Rows run from top to bottom in the order of the file; the first approach is the upper one.
    """
    names = list(dict.fromkeys(str(row["views"]) for row in rows))
    step = 16 * max(len(approaches), 1) + 12
    height = step * len(names) + 34
    plot = Plot(460, height, UNIT, (len(names), 0), left=64, right=92)
    parts = [plot.grid(FIFTHS)]
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
    label = "; ".join(
        f"{row['views']} {row['approach']} {mean_sd(row.get(metric))}, {interval(row.get(metric))}"
        for row in rows
    )
    return drawing(460, height, label, parts)
