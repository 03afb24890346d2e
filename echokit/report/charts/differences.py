"""Draw how far each voting rule is ahead of the baseline, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from echokit.report.charts.figure import CARD, INK, MUTED, SERIES, new_axes, new_figure, write
from echokit.report.words import signed

STEP = 26
"""Height of a row in CSS pixels."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one rule is ahead of the baseline."""

    rule: str
    mean: float
    low: float
    """Lower end of the interval, corrected for the number of rules."""
    high: float
    clear: bool
    """True where the interval leaves out 0."""


def differences_chart(rows: Sequence[Difference]) -> Figure:
    """Draw one row for each rule, first at the top; filled where the interval leaves out 0."""
    furthest = max(abs(end) for row in rows for end in (row.low, row.high))
    reach = next((r for r in (0.05, 0.1, 0.2, 0.3, 0.5) if furthest <= r), 1.0)
    left = 26.0 + 6.5 * max(len(row.rule) for row in rows)
    figure = new_figure(left + 330, STEP * len(rows) + 34)
    axes = new_axes(figure, left, bottom=26, right=60)
    axes.grid(False, axis="y")
    axes.set(xlim=(-reach, reach), ylim=(len(rows), 0), yticks=[])
    axes.set_xticks((-reach, -reach / 2, 0, reach / 2, reach))
    axes.xaxis.set_major_formatter(lambda value, _: signed(value))
    axes.axvline(0, color=MUTED, linewidth=1.5, label="no difference", clip_on=False)
    blue = SERIES["c0"]
    for i, row in enumerate(rows):
        y = i + 0.5
        axes.plot(
            (row.low, row.high), (y, y), color=blue, linewidth=3, alpha=0.45,
            label=f"interval of {row.rule}", solid_capstyle="round", clip_on=False,
        )  # fmt: skip
        axes.plot(
            (row.mean,), (y,), marker="o", markersize=8, markeredgewidth=2, markeredgecolor=blue,
            markerfacecolor=blue if row.clear else CARD, linestyle="", label=row.rule,
            clip_on=False,
        )  # fmt: skip
        beyond = reach * (1 + 16 / 135)
        write(axes, -beyond, y, row.rule, align="right", colour=INK, size=12)
        write(axes, beyond, y, signed(row.mean), align="left", colour=INK, size=12)
    return figure


def differences_words(rows: Sequence[Difference], baseline: str) -> str:
    """What the chart shows, in words."""
    parts = (
        f"{row.rule} {signed(row.mean)}, {signed(row.low)} to {signed(row.high)}" for row in rows
    )
    return f"F1-score, difference from the {baseline}: {'; '.join(parts)}"
