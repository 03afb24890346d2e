"""Draw reliability diagrams, and accuracy against coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from echokit.evaluation.rows import Bin, SelectiveFigures
from echokit.report.charts.figure import SERIES, draw_guess, draw_line, new_figure, unit_axes
from echokit.report.words import number

AREA = 250
"""Area, in square pixels, of a dot that stands for all predictions."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Stated against observed frequency, bin by bin."""

    name: str
    series: str
    """CSS class of its colour."""
    stated: tuple[float, ...]
    """Mean stated probability of each bin."""
    observed: tuple[float, ...]
    """Share of each bin that is right."""
    counts: tuple[int, ...]
    """Predictions of each bin."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Accuracy among the surest predictions, as more and more of them are kept."""

    name: str
    series: str
    """CSS class of its colour."""
    coverage: tuple[float, ...]
    """Share of the predictions that is kept, rising."""
    accuracy: tuple[float, ...]
    """Share of those kept that is right."""
    overall: float
    """Share of all predictions that is right."""


def read_reliability(name: str, series: str, bins: Sequence[Bin]) -> Reliability:
    """Take the bins of calibration.json: `confidence`, `accuracy` and `n` of each."""
    return Reliability(
        name,
        series,
        tuple(float(one["confidence"]) for one in bins),
        tuple(float(one["accuracy"]) for one in bins),
        tuple(int(one["n"]) for one in bins),
    )


def read_coverage(name: str, series: str, curve: SelectiveFigures) -> Coverage:
    """Take a curve of calibration.json: `coverage`, `accuracy` and `error`."""
    return Coverage(
        name,
        series,
        tuple(map(float, curve["coverage"])),
        tuple(map(float, curve["accuracy"])),
        1 - float(curve["error"]),
    )


def reliability(lines: Sequence[Reliability]) -> Figure:
    """Draw observed frequency against stated probability; on the diagonal both are one.

    The area of a dot is in proportion to the number of its predictions.
    """
    figure = new_figure(210, 210)
    axes = unit_axes(figure, "predicted probability", "observed frequency")
    draw_guess(axes, (0, 1), (0, 1))
    for line in lines:
        draw_line(axes, line.stated, line.observed, line.series, line.name, width=1.2)
        total = sum(line.counts)
        axes.scatter(
            line.stated,
            line.observed,
            s=[AREA * n / total for n in line.counts],
            color=SERIES[line.series],
            alpha=0.85,
            linewidths=0,
            label=line.name,
            zorder=3,
            clip_on=False,
        )
    return figure


def reliability_words(lines: Sequence[Reliability], views: str) -> str:
    """What a reliability diagram shows, in words."""
    parts = [
        f"{line.name} "
        + ", ".join(
            f"{number(right)} right at {number(stated)}"
            for stated, right in zip(line.stated, line.observed, strict=True)
        )
        for line in lines
    ]
    return f"{views}: {'; '.join(parts) or '–'}"


def coverage(lines: Sequence[Coverage]) -> Figure:
    """Draw the share that is right among the surest predictions against how many these are."""
    figure = new_figure(210, 210)
    axes = unit_axes(figure, "share kept, surest first", "accuracy")
    for line in lines:
        draw_guess(axes, (0, 1), (line.overall, line.overall))
        draw_line(axes, line.coverage, line.accuracy, line.series, line.name)
        if len(line.coverage) < 12:
            axes.get_lines()[-1].set(marker="o", markersize=6)
    return figure


def mark_rule(figure: Figure, kept: float, accuracy: float, series: str) -> None:
    """Mark what a rule for abstaining keeps, and the accuracy of that, on such a chart.

    Args:
        figure: drawn by `coverage`.
        kept: share of the predictions that the rule keeps.
        accuracy: share of these that is right.
        series: CSS class of its colour.
    """
    (axes,) = figure.axes
    axes.scatter(
        [kept], [accuracy], s=60, marker="D", color=SERIES[series], zorder=4, clip_on=False
    )


def coverage_words(lines: Sequence[Coverage], views: str) -> str:
    """What a chart of accuracy against coverage shows, in words."""
    parts = [
        f"{line.name} {number(line.overall)} right of all, {number(line.accuracy[0])} of the surest"
        for line in lines
    ]
    return f"{views}: {'; '.join(parts) or '–'}"
