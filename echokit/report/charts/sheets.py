"""Write ROC curves and confusion matrices as SVG files for a manuscript."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from echokit.report.charts.confusion import BOTTOM, LEFT, TOP, draw_confusion, size_of
from echokit.report.charts.curves import draw_roc
from echokit.report.charts.figure import HALVES, INK, MUTED, new_axes, new_figure, to_svg_file
from echokit.report.judged import Judged, confusion, curves
from echokit.report.words import SYNTHETIC, number
from echokit.system.files import write_text

FOLDER = Path("report", "figures")
"""Where figures are kept, within a run."""
COLUMNS = 4
"""Charts side by side."""
ALARM = "#b3340a"


def write_sheets(
    run: Path, name: Sequence[str], groups: Sequence[Judged], synthetic: bool
) -> tuple[str, ...]:
    """Write the ROC curves and confusion matrices of one task and approach.

    Args:
        run: folder of the run.
        name: task and approach.
        groups: held-out predictions of every view and view set; empty writes nothing.
        synthetic: whether the files must say that the cohort is.

    Returns:
        The files' paths within the run.
    """
    files = []
    for kind, title, draw in (
        ("roc", "ROC curves", roc_sheet),
        ("confusion", "Confusion matrices", confusion_sheet),
    ):
        if groups:
            title = f"{title}: {', '.join(name)}"
            file = FOLDER / file_name(kind, *name, suffix=".svg")
            write_text(run / file, to_svg_file(draw(groups, title, synthetic), title))
            files.append(file.as_posix())
    return tuple(files)


def file_name(*parts: object, suffix: str) -> str:
    """A file name of some words, of plain characters alone."""
    return "-".join(re.sub(r"[^\w-]+", "_", str(part)) for part in parts) + suffix


def roc_sheet(groups: Sequence[Judged], title: str, synthetic: bool) -> Figure:
    """Draw the ROC curves of every view, each with the areas under its curves."""
    lines = max(len(group.classes) for group in groups)
    note = "area under the curve by label"
    sheet = _Sheet(len(groups), 236, 268 + 15 * lines, title, note, synthetic)
    for i, group in enumerate(groups):
        axes = sheet.axes(i, left=44, bottom=78 + 15 * lines, right=8, top=22)
        axes.set(xlim=(0, 1), ylim=(0, 1), xticks=HALVES, yticks=HALVES)
        axes.set_xlabel("1 − specificity", fontsize=10.5, color=MUTED)
        axes.set_ylabel("sensitivity", fontsize=10.5, color=MUTED)
        _head(axes, group.views)
        found = curves(group)
        draw_roc(axes, found, group.classes)
        drawn = axes.get_lines()[1:]
        if found:
            legend = axes.legend(
                drawn,
                [f"{curve.label} {number(curve.area)}" for curve in found],
                loc="upper left",
                bbox_to_anchor=(0, -0.2),
                frameon=False,
                fontsize=10.5,
                borderpad=0,
                labelspacing=0.3,
            )
            for words in legend.get_texts():
                words.set_parse_math(False)
        sheet.foot(i, group.people)
    return sheet.figure


def confusion_sheet(groups: Sequence[Judged], title: str, synthetic: bool) -> Figure:
    """Draw the confusion matrices of every view: counts, and shares of each true label."""
    width, height = size_of(groups[0].classes)
    note = "rows: true label; columns: prediction"
    sheet = _Sheet(len(groups), width + 24, height + 40, title, note, synthetic)
    for i, group in enumerate(groups):
        axes = sheet.axes(i, left=LEFT, bottom=BOTTOM + 24, right=32, top=TOP + 16)
        draw_confusion(axes, confusion(group), group.classes)
        _head(axes, group.views, above=TOP)
        sheet.foot(i, group.people)
    return sheet.figure


def _head(axes: Axes, views: str, above: float = 8) -> None:
    axes.set_title(
        views, loc="left", pad=above, fontsize=12, fontweight="bold", color=INK, parse_math=False
    )


class _Sheet:
    """Charts in rows under a title."""

    def __init__(
        self, charts: int, width: float, height: float, title: str, note: str, synthetic: bool
    ) -> None:
        self._width, self._height, self._across = width, height, min(COLUMNS, charts)
        rows = -(-charts // self._across)
        self._top = 64 if synthetic else 48
        self.figure = new_figure(self._across * width, self._top + rows * height)
        self._write(10, 20, title, fontsize=14, fontweight="bold", color=INK)
        self._write(10, 38, f"Held-out patients; {note}", fontsize=10.5, color=MUTED)
        if synthetic:
            self._write(10, 55, SYNTHETIC, fontsize=10.5, fontweight="bold", color=ALARM)

    def axes(self, i: int, left: float, bottom: float, right: float, top: float) -> Axes:
        """Add the axes of the i-th chart, with margins within its own cell."""
        x, y = self._corner(i)
        width, height = self.figure.get_size_inches() * 72
        return new_axes(
            self.figure,
            x + left,
            height - y - self._height + bottom,
            width - x - self._width + right,
            y + top,
        )

    def foot(self, i: int, words: str) -> None:
        """Write words below the i-th chart."""
        x, y = self._corner(i)
        self._write(x + 10, y + self._height - 12, words, fontsize=10.5, color=MUTED)

    def _corner(self, i: int) -> tuple[float, float]:
        return i % self._across * self._width, self._top + i // self._across * self._height

    def _write(self, x: float, y: float, words: str, **style: Any) -> None:
        width, height = self.figure.get_size_inches() * 72
        self.figure.text(x / width, 1 - y / height, words, parse_math=False, **style)
