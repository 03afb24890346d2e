"""Lay out frames and their saliency in grids, in the widths of a paper's columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from echokit.report.charts.figure import INK, LINE, MUTED
from echokit.report.charts.sheets import ALARM
from echokit.report.pictures.example import Example, Moment
from echokit.report.words import SYNTHETIC
from echokit.saliency.overlay import palette

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.0
"""Width of a figure in inches, as journals set it."""
DPI = 300
SMALL, NORMAL = 6.5, 8.0
"""Points."""
TILE = 2.0
"""Height of a row of pictures with its words, in inches."""


def labels_grid(
    shown: Mapping[str, Example],
    labels: Sequence[str],
    phase: str,
    title: str,
    synthetic: bool,
) -> Figure:
    """Draw a row for each label, least severe first: a frame, and beside it under its saliency.

    Args:
        shown: label -> the sequence that is shown.
        labels: of the task; a label without a sequence has an empty row.
        phase: of the beat, as `Example.moments` takes it.
        title: what the figure is of.
        synthetic: whether the figure must say that the cohort is.
    """
    figure = _new(ONE_COLUMN, 0.8 + TILE * len(labels), synthetic)
    grid = figure.subplots(len(labels), 2, squeeze=False)
    for (left, right), label in zip(grid, labels, strict=True):
        _name(left, label, bold=True)
        example = shown.get(label)
        if example is None:
            _leave_empty(left, "no sequence\nwas explained")
            _leave_empty(right, "")
            continue
        (moment,) = example.moments([phase])
        right.set_title(moment.name, loc="right", fontsize=SMALL, color=MUTED, parse_math=False)
        _show(left, right, example, moment)
        _below(left, example.verdict, alarm=not example.right)
        _below(right, example.checked, alarm=example.flagged)
    return _finish(figure, grid.ravel().tolist(), title, next(iter(shown.values())))


def beat_grid(example: Example, phases: Sequence[str], title: str, synthetic: bool) -> Figure:
    """Draw a column for each phase of the beat: the frame, and below it under its saliency."""
    figure = _new(TWO_COLUMNS, 0.8 + 2 * TILE, synthetic)
    grid = figure.subplots(2, len(phases), squeeze=False)
    for above, below, moment in zip(*grid, example.moments(phases), strict=True):
        _name(above, moment.name)
        _show(above, below, example, moment)
    truth = f"true {example.facts.get('label')}; {example.verdict}"
    _below(grid[1][0], truth, alarm=not example.right)
    _below(grid[1][-1], example.checked, alarm=example.flagged)
    return _finish(figure, grid.ravel().tolist(), title, example)


def _new(width: float, height: float, synthetic: bool) -> Figure:
    figure = Figure((width, height), dpi=DPI, layout=ConstrainedLayoutEngine(wspace=0, w_pad=0.03))
    if synthetic:
        figure.supxlabel(SYNTHETIC, fontsize=SMALL, color=ALARM)
    return figure


def _show(bare: Axes, coloured: Axes, example: Example, moment: Moment) -> None:
    """Show a frame as it is and under its saliency, or say that the sequence does not reach it."""
    if moment.frame is None:
        _leave_empty(bare, "not in\nthis sequence")
        _leave_empty(coloured, "")
        return
    bare.imshow(
        example.frames[moment.frame], cmap="gray", vmin=0, vmax=255, interpolation="bicubic"
    )
    coloured.imshow(example.coloured(moment.frame), interpolation="bicubic")
    for axes in (bare, coloured):
        axes.set(xticks=(), yticks=())
        axes.spines[:].set_visible(False)


def _leave_empty(axes: Axes, words: str) -> None:
    axes.set(xticks=(), yticks=(), aspect="equal")
    axes.spines[:].set_color(LINE)
    axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=SMALL, color=MUTED)


def _name(axes: Axes, words: str, bold: bool = False) -> None:
    axes.set_title(
        textwrap.shorten(words, 36, placeholder=" …"),
        loc="left",
        fontsize=NORMAL if bold else SMALL,
        fontweight="bold" if bold else "normal",
        color=INK,
        parse_math=False,
    )


def _below(axes: Axes, words: str, alarm: bool) -> None:
    """Write words below a picture, red where they must not be missed."""
    colour = ALARM if alarm else MUTED
    text = textwrap.fill(words, 36)
    axes.set_xlabel(text, fontsize=SMALL, color=colour, loc="left", parse_math=False)


def _finish(figure: Figure, axes: Sequence[Axes], title: str, example: Example) -> Figure:
    """Add the title and what the colours of saliency mean."""
    how = f"{example.facts['approach']}, {example.facts.get('method', 'saliency')}"
    figure.suptitle(title, fontsize=NORMAL + 1, fontweight="bold", color=INK, parse_math=False)
    colours = ScalarMappable(cmap=ListedColormap(palette() / 255, "saliency"))
    bar = figure.colorbar(colours, ax=axes, location="bottom", shrink=0.6, aspect=40, ticks=(0, 1))
    bar.set_ticklabels(["little", "much"], fontsize=SMALL, color=INK)
    bar.set_label(f"of the prediction ({how})", fontsize=SMALL, color=MUTED, parse_math=False)
    bar.ax.tick_params(length=0)
    return figure
