"""Draw what blurring or showing the marked parts does to a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from echokit.report.charts.figure import HALVES, MUTED, draw_line, new_axes, new_figure
from echokit.report.words import number


@dataclass(frozen=True, slots=True)
class Perturbation:
    """The probability of the label as more and more of the marked parts are changed."""

    name: str
    """`deletion` or `insertion`."""
    series: str
    """CSS class of its colour."""
    shares: tuple[float, ...]
    """Share of the sector that is changed."""
    probabilities: tuple[float, ...]


def perturbation_chart(curves: Sequence[Perturbation]) -> Figure:
    """Draw the probability of the label against the share of the sector that is changed."""
    figure = new_figure(240, 120)
    axes = new_axes(figure, left=30, bottom=34)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=HALVES, yticks=HALVES)
    axes.set_xlabel("share of the sector", fontsize=10.5, color=MUTED, labelpad=4)
    for curve in curves:
        draw_line(axes, curve.shares, curve.probabilities, curve.series, curve.name)
    return figure


def perturbation_words(curves: Sequence[Perturbation]) -> str:
    """What the chart shows, in words."""
    parts = (
        f"{one.name} from {number(one.probabilities[0])} to {number(one.probabilities[-1])}"
        for one in curves
    )
    return f"Probability of the label: {'; '.join(parts)}"
