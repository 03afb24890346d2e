"""Draw ROC curves, and courses of training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from echokit.report.charts.figure import (
    MUTED,
    SERIES,
    draw_guess,
    draw_line,
    new_axes,
    new_figure,
    unit_axes,
)
from echokit.report.charts.svg import colour
from echokit.report.judged import Curve
from echokit.report.results import History
from echokit.report.words import number


def roc(curves: Iterable[Curve], classes: Sequence[str]) -> Figure:
    """Draw the ROC curves of one view, one line per label."""
    figure = new_figure(210, 210)
    draw_roc(unit_axes(figure, "1 − specificity", "sensitivity"), curves, classes)
    return figure


def draw_roc(axes: Axes, curves: Iterable[Curve], classes: Sequence[str]) -> None:
    """Draw ROC curves into axes that run from 0 to 1."""
    draw_guess(axes, (0, 1), (0, 1))
    for curve in curves:
        series = colour(classes.index(curve.label), len(classes))
        draw_line(axes, curve.fpr.tolist(), curve.tpr.tolist(), series, curve.label)


def roc_words(curves: Iterable[Curve], views: str) -> str:
    """What the ROC curves of one view show, in words."""
    areas = [f"{curve.label} {number(curve.area)}" for curve in curves]
    return f"{views}: area under the curve {', '.join(areas) or '–'}"


def training(histories: Sequence[History]) -> Figure:
    """Draw the loss of every split of one network over the epochs.

    Losses that are not finite are left out.
    """
    courses = [_losses(history) for history in histories]
    finite = [loss for course in courses for _, loss in course if math.isfinite(loss)]
    epochs = [epoch for course in courses for epoch, _ in course]
    first, last = min(epochs), max(epochs)
    top = _round_up(max(finite, default=1.0))
    figure = new_figure(210, 150)
    axes = new_axes(figure, left=34, bottom=34)
    span = (first, last) if last > first else (first - 1, first + 1)
    axes.set(xlim=span, ylim=(0, top), xticks=sorted({first, last}), yticks=(0, top / 2, top))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("epoch", fontsize=10.5, color=MUTED, labelpad=0)
    for history, course in zip(histories, courses, strict=True):
        shown = [(epoch, loss) for epoch, loss in course if math.isfinite(loss)]
        axes.plot(
            [epoch for epoch, _ in shown],
            [loss for _, loss in shown],
            color=SERIES["c0"],
            linewidth=2 if len(courses) == 1 else 1.2,
            alpha=None if len(courses) == 1 else 0.6,
            marker="o" if len(shown) == 1 else None,  # a line of one point is nothing
            label=history.split,
            clip_on=False,
        )
    return figure


def training_words(histories: Sequence[History]) -> str:
    """What the courses of training show, in words."""
    last = max(int(_losses(history)[-1][0]) for history in histories)
    ends = ", ".join(number(_losses(history)[-1][1]) for history in histories)
    return f"training loss ends at {ends} after epoch {last}"


def _losses(history: History) -> list[tuple[float, float]]:
    """Epoch and loss; epochs that the file does not number are counted from 1."""
    return [
        (float(one.get("epoch", i)), float(one["loss"])) for i, one in enumerate(history.epochs, 1)
    ]


def _round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next((m * power for m in (1, 1.5, 2, 3, 5) if m * power >= value), 10 * power)
