"""The charts of trust: stated against reached frequency, accuracy against coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from markupsafe import Markup

from echokit.report.charts.charts import HALVES, UNIT
from echokit.report.charts.svg import Plot, drawing, text
from echokit.report.words import number

Bins = Sequence[Mapping[str, Any]]
"""Bins of calibration.json: `confidence`, `accuracy`, `n`."""


def reliability(series: Sequence[tuple[str, str, Bins]], views: str) -> Markup:
    """Share that is right against stated probability; on the diagonal both are one.

    Args:
        series: (what it is, CSS class, bins) of each line.
        views: what the drawing is of.
    """
    plot = Plot(210, 210, UNIT, UNIT, left=28, bottom=34)
    parts = [
        plot.grid(HALVES, HALVES),
        plot.line([(0, 0), (1, 1)], "guess"),
        text(118, 205, "stated probability", "tick mid"),
    ]
    said = []
    for name, ink, bins in series:
        points = [(float(one["confidence"]), float(one["accuracy"])) for one in bins]
        parts.append(plot.line(points, f"line thin {ink}"))
        total = sum(int(one["n"]) for one in bins)
        for (x, y), one in zip(points, bins, strict=True):
            px, py = plot.at(x, y)
            size = 1.5 + 7 * sqrt(int(one["n"]) / total)  # the area is the share of predictions
            circle = Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"/>')
            parts.append(circle.format(ink, px, py, size))
        where = ", ".join(f"{number(y)} right at {number(x)}" for x, y in points)
        said.append(f"{name} {where}")
    return drawing(210, 210, f"{views}: {'; '.join(said) or '–'}", parts)


def coverage(series: Sequence[tuple[str, str, Mapping[str, Any]]], views: str) -> Markup:
    """Share that is right among the surest predictions, against how many these are.

    Args:
        series: (what it is, CSS class, curve with `coverage`, `accuracy` and `error`).
        views: what the drawing is of.
    """
    plot = Plot(210, 210, UNIT, UNIT, left=28, bottom=34)
    parts = [plot.grid(HALVES, HALVES), text(118, 205, "share kept, surest first", "tick mid")]
    said = []
    for name, ink, curve in series:
        right = 1 - float(curve["error"])
        points = list(zip(curve["coverage"], curve["accuracy"], strict=True))
        parts.append(plot.line([(0, right), (1, right)], "guess"))
        parts.append(plot.line(points, f"line {ink}"))
        if len(points) < 12:
            parts += [plot.dot(x, y, ink) for x, y in points]
        said.append(f"{name} {number(right)} right of all, {number(points[0][1])} of the surest")
    return drawing(210, 210, f"{views}: {'; '.join(said) or '–'}", parts)
