"""Run the speed suite: every claim is a ratio, measured in one run on one machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from multiprocessing import get_context
from pathlib import Path

from matplotlib.figure import Figure

from echokit.bench.result import Column, Row, Table, document, write_result
from echokit.errors import UsageError, nearest
from echokit.report.charts.figure import MUTED, SERIES, draw_guess, new_axes, new_figure, to_svg
from echokit.report.words import memory
from echokit.system.progress import Progress

GROUP = "echokit.benchmarks"
"""Group of entry points; each is a function that takes `quick: bool` and returns rows."""
TITLE = "Speed of echokit"


def measure_all(quick: bool, only: Sequence[str], progress: Progress) -> list[Row]:
    """Run the cases of the suite one after the other, each in its own process.

    Args:
        quick: use small sizes and few repeats, to show that the suite works.
        only: names of cases; empty for all.
        progress: shows the progress.

    Returns:
        The rows of all cases, each with the name of its case under `case`.

    Raises:
        UsageError: a case is unknown, or none is installed.
    """
    cases = {point.name: point for point in entry_points(group=GROUP)}
    for name in only:
        if name not in cases:
            raise UsageError(f"The speed suite has no case {name!r}: {nearest(name, cases)}")
    chosen = [cases[name] for name in sorted(only or cases)]
    if not chosen:
        raise UsageError(
            "No speed suite is installed: reinstall echokit, pip install --force-reinstall "
            "echokit-cardiac"
        )
    rows: list[Row] = []
    with progress.bar("Measuring", len(chosen), "cases") as tick:
        for case in chosen:
            rows += [{"case": case.name, **row} for row in _in_own_process(case, quick)]
            tick(1)
    return rows


def _in_own_process(case: EntryPoint, quick: bool) -> list[Row]:
    """Measure one case in a new process, free of the threads, caches and memory of others."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_measure, case, quick).result()


def _measure(case: EntryPoint, quick: bool) -> list[Row]:
    measure: Callable[[bool], list[Row]] = case.load()
    return measure(quick)


def write_speed(rows: Sequence[Row], quick: bool, out: Path) -> Path:
    """Write the result of the suite below `out` and return the path of the page."""
    growth = [row for row in rows if row.get("points")]
    claims = [row for row in rows if not row.get("points")]
    result = document("speed", synthetic=False, quick=quick, claims=claims, growth=growth)
    small = " Measured at tiny sizes: this shows that the suite works, not how fast echokit is."
    tables = [
        Table(
            "Claims",
            "claims",
            _COLUMNS,
            "Medians, and the median of paired ratios with its quartiles: both sides were measured "
            "alternately within one run." + small * quick,
        ),
        Table(
            "Cost against size",
            "growth",
            _GROWTH,
            "The exponent of cost in size over the three largest sizes; 1 is linear."
            + small * quick,
            to_svg(growth_chart(growth), growth_words(growth)) if growth else "",
        ),
    ]
    return write_result(out, "speed", TITLE, result, [t for t in tables if result[t.name]])


def _amount(row: Row, side: str) -> str:
    """Format the time or memory of one side of a claim."""
    if row.get(f"{side}_mb") is not None:
        return memory(row[f"{side}_mb"])
    seconds = row.get(f"{side}_s")
    if seconds is None:
        return "–"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.3g} ms"


def _ratio(row: Row) -> str:
    """Format a ratio with its quartiles."""
    if row["ratio"] is None:
        return "–"
    spread = row.get("spread")
    between = f" ({spread[0]:.2f}–{spread[1]:.2f})" if spread else ""
    return f"{row['ratio']:.2f}{between}"


def _reached(row: Row) -> str:
    return {True: "reached", False: "not reached", None: "–"}[row["reached"]]


_COLUMNS = (
    Column("work", lambda row: str(row["name"])),
    Column("compared with", lambda row: row["against"] or "–"),
    Column("echokit", partial(_amount, side="ours"), right=True),
    Column("alternative", partial(_amount, side="theirs"), right=True),
    Column("ratio", _ratio, right=True),
    Column("goal", lambda row: row["goal"] or "–"),
    Column("", _reached),
    Column("note", lambda row: row.get("note", "")),
)
_GROWTH = (
    Column("cost of", lambda row: str(row["name"])),
    Column("exponent", _ratio, right=True),
    Column("goal", lambda row: row["goal"]),
    Column("", _reached),
)


def growth_chart(rows: Sequence[Row]) -> Figure:
    """Draw cost relative to the smallest size, on two logarithmic axes; linear growth is dotted."""
    lines = [_relative(row["points"]) for row in rows]
    largest = max(2.0, *(value for line in lines for point in line for value in point))
    ticks = [2**i for i in range(math.ceil(math.log2(largest)) + 1)]
    figure = new_figure(720, 320)
    axes = new_axes(figure, left=44, right=210, bottom=30)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set(xlim=(1, largest), ylim=(1, largest))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([tick for tick in ticks if tick <= largest])
        axis.set_major_formatter("{x:g}×")
    draw_guess(axes, (1, largest), (1, largest))
    for index, (row, line) in enumerate(zip(rows, lines, strict=True)):
        axes.plot(
            [size for size, _ in line],
            [cost for _, cost in line],
            color=SERIES[f"c{index % 4}"],
            linewidth=1.5,
            marker="o",
            markersize=8,
            label=_short(row),
            clip_on=False,
        )
    legend = axes.legend(
        axes.get_lines()[1:], [_short(row) for row in rows], loc="upper left",
        bbox_to_anchor=(1.03, 1.02), frameon=False, fontsize=10.5, labelcolor=MUTED, borderpad=0,
    )  # fmt: skip
    for words in legend.get_texts():
        words.set_parse_math(False)
    return figure


def growth_words(rows: Sequence[Row]) -> str:
    """Describe the chart of growth in words."""
    ends = (f"{_short(row)} {_relative(row['points'])[-1][1]:.2g} times" for row in rows)
    return f"Cost of the largest size relative to the smallest: {'; '.join(ends)}"


def _relative(points: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Divide sizes and costs by those of the first point; a falling cost counts as unchanged."""
    (size, cost), *_ = points
    return [(x / size, max(1.0, y / cost)) for x, y in points]


def _short(row: Row) -> str:
    return f"{str(row['name']).partition(',')[0]}, {row['against']}"


def sentence(row: Row) -> str:
    """Format a row for the terminal: a mark, the name, the figures and the goal."""
    mark = {True: "✓", False: "✗", None: "·"}[row["reached"]]
    sides = _amount(row, "ours")
    if row["against"]:
        sides += f" against {_amount(row, 'theirs')} of {row['against']}"
    sides = f"exponent {row['ratio']:.2f}" if row.get("points") else sides
    ratio = "" if row["ratio"] is None or row.get("points") else f", ratio {_ratio(row)}"
    return f"{mark} {row['name']}: {sides}{ratio}; goal: {row['goal'] or 'none'}"
