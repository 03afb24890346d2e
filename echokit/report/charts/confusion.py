"""Draw confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from echokit.report.charts.figure import HEAT, INK, ON_HEAT, new_axes, new_figure, write

SIDE, LEFT, TOP, BOTTOM = 54, 84, 46, 6
"""Pixels: side of a cell, room for the true labels, for the predicted ones, below."""
DARK = 0.72
"""Share of a row from which a cell is so dark that its figures are white."""


def size_of(classes: Sequence[str]) -> tuple[int, int]:
    """Width and height of a drawing in CSS pixels."""
    return LEFT + SIDE * len(classes) + 8, TOP + SIDE * len(classes) + BOTTOM


def confusion_chart(table: Num[np.ndarray, "K K"], classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix: counts, and shares of each true label by depth of colour.

    Args:
        table: how often each true label (row) was predicted as each label (column); of patients
            with several predictions also parts of a patient, which are drawn with one decimal.
        classes: label names.
    """
    figure = new_figure(*size_of(classes))
    draw_confusion(new_axes(figure, LEFT, BOTTOM, 8, TOP), table, classes)
    return figure


def draw_confusion(axes: Axes, table: Num[np.ndarray, "K K"], classes: Sequence[str]) -> None:
    """Draw a confusion matrix into axes: the first true label is the top row."""
    k = len(classes)
    axes.grid(False)
    axes.set(xlim=(0, k), ylim=(k, 0))
    middles = np.arange(k) + 0.5
    axes.set_xticks(middles, [_two_lines(label) for label in classes], parse_math=False)
    axes.set_yticks(middles, [_two_lines(label) for label in classes], parse_math=False)
    axes.tick_params(labelcolor=INK, top=True, labeltop=True, bottom=False, labelbottom=False)
    shares = row_shares(table)
    for i, j in np.ndindex(k, k):
        share = float(shares[i, j])
        axes.add_patch(
            Rectangle(
                (j + 0.02, i + 0.02), 0.96, 0.96, facecolor=HEAT, alpha=0.06 + 0.94 * share,
                linewidth=0,
            )
        )  # fmt: skip
        ink = ON_HEAT if share > DARK else INK
        middle = j + 0.5
        write(
            axes,
            middle,
            i + 0.4,
            count(float(table[i, j])),
            align="center",
            colour=ink,
            size=16,
            bold=True,
        )
        write(axes, middle, i + 0.72, f"{share * 100:.0f} %", align="center", colour=ink)


def confusion_words(table: Num[np.ndarray, "K K"], classes: Sequence[str], views: str) -> str:
    """What a confusion matrix shows, in words."""
    rows = (
        f"true {label}: "
        + ", ".join(f"{count(n)} as {name}" for name, n in zip(classes, row, strict=True))
        for label, row in zip(classes, table.tolist(), strict=True)
    )
    return f"Confusion matrix of {views}, predictions by true label. {'; '.join(rows)}"


def count(value: float) -> str:
    """`12`, `12.5`."""
    return f"{round(value, 1):g}"


def row_shares(table: Num[np.ndarray, "K K"]) -> Float[np.ndarray, "K K"]:
    """Each count as a share of its row; 0 in a row without any."""
    totals = table.sum(axis=1, keepdims=True)
    shares: Float[np.ndarray, "K K"] = table / np.where(totals == 0, 1, totals)
    return shares


def _two_lines(label: str) -> str:
    """A column's heading, broken at its last hyphen where it is long."""
    cut = label.rfind("-") + 1 if len(label) > 9 else 0
    return "\n".join(filter(None, (_short(label[:cut], 10), _short(label[cut:], 10))))


def _short(label: str, most: int) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"
