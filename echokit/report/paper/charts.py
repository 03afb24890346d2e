"""ROC curves and confusion tables as stand-alone SVG files, to be put into a manuscript."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from markupsafe import Markup

from echokit.report.charts.svg import text
from echokit.report.paper.figures import FOLDER, file_name
from echokit.report.sections.figures import Chart, Matrix, Task
from echokit.report.words import SYNTHETIC
from echokit.system.files import write_text

COLUMNS = 4
"""Charts side by side."""
STYLE = Markup("""
text { font: 10.5px Helvetica, Arial, "DejaVu Sans", sans-serif; fill: #4a5560; }
.mid { text-anchor: middle; } .end { text-anchor: end; }
.title { font-size: 14px; font-weight: bold; fill: #111111; }
.name { font-size: 12px; font-weight: bold; fill: #111111; } .words { fill: #111111; }
.alarm { fill: #b3340a; font-weight: bold; }
.count { font-size: 15px; font-weight: bold; }
polyline { fill: none; stroke-width: 1.5; }
.gridline { stroke: #dce3e9; stroke-width: 1; }
.guess { stroke: #4a5560; stroke-dasharray: 2 4; stroke-width: 1; }
.line { stroke-width: 2; stroke-linejoin: round; }
.c0 { stroke: #0072b2; } .c1 { stroke: #cf8a00; stroke-dasharray: 6 3; }
.c2 { stroke: #c8480a; stroke-dasharray: 2 2.5; }
.c3 { stroke: #00805d; stroke-dasharray: 9 3 2 3; }
.c4 { stroke: #a64d86; stroke-dasharray: 4 2 1 2; }
""")
"""Colours and dashes of the page, written out: a file on its own has no page to take them from."""


def write_charts(run: Path, tasks: Iterable[Task], synthetic: bool) -> tuple[str, ...]:
    """Write the ROC curves and confusion tables of every task and approach as SVG.

    Args:
        run: folder of the run.
        tasks: what the page shows of it.
        synthetic: whether the files must say that the cohort is.

    Returns:
        The files' paths within the run.
    """
    files = []
    for task in tasks:
        for approach in task.approaches:
            where = f"{task.name}, {approach.name}"
            for kind, drawing in (
                ("roc", roc_sheet(approach.rocs, f"ROC curves: {where}", synthetic)),
                ("confusion", confusion_sheet(approach.matrices, task.classes, where, synthetic)),
            ):
                if drawing:
                    file = FOLDER / file_name(kind, task.name, approach.name, suffix=".svg")
                    write_text(run / file, str(drawing))
                    files.append(file.as_posix())
    return tuple(files)


def roc_sheet(charts: Sequence[Chart], title: str, synthetic: bool) -> Markup | None:
    """ROC curves of every view, each with its areas; None where there is none."""
    if not charts:
        return None
    most = max(len(chart.legend) for chart in charts)
    cells = []
    for chart in charts:
        parts = [
            text(38, 14, chart.title, "name"),
            Markup('<svg x="10" y="20" width="210" height="210">{}</svg>').format(chart.drawing),
            Markup(
                '<text class="mid" transform="translate(12 117) rotate(-90)">sensitivity</text>'
            ),
        ]
        for i, (ink, said) in enumerate(chart.legend):
            y = 242 + 15 * i
            parts.append(
                Markup('<polyline class="line {}" points="38,{} 62,{}"/>').format(ink, y, y)
            )
            parts.append(text(68, y + 3.5, said, "words"))
        parts.append(text(38, 242 + 15 * most + 3.5, chart.note, "note"))
        cells.append(Markup("").join(parts))
    return _sheet(cells, 236, 262 + 15 * most, title, "area under the curve by label", synthetic)


def confusion_sheet(
    matrices: Sequence[Matrix], classes: Sequence[str], where: str, synthetic: bool
) -> Markup | None:
    """Confusion tables of every view: counts, and shares of each true label; None if none."""
    if not matrices or not classes:
        return None
    side, left, top = 54, 92, 40
    cells = []
    for matrix in matrices:
        parts = [text(left, 10, matrix.views, "name")]
        for j, label in enumerate(classes):
            for line, y in zip(_lines(label), (23, 34), strict=True):
                parts.append(text(left + (j + 0.5) * side, y, line, "mid words"))
        for i, (label, counts) in enumerate(matrix.rows):
            middle = top + (i + 0.5) * side
            parts.append(text(left - 6, middle + 3.5, _short(label, 16), "end words"))
            for j, (count, share) in enumerate(counts):
                parts.append(_cell(left + j * side, top + i * side, side, count, share))
        parts.append(text(left, top + len(classes) * side + 16, matrix.note, "note"))
        cells.append(Markup("").join(parts))
    width, height = left + side * len(classes) + 60, top + side * len(classes) + 34
    title = f"Confusion tables: {where}"
    return _sheet(cells, width, height, title, "rows: true label; columns: prediction", synthetic)


def _cell(x: float, y: float, side: float, count: int, share: float) -> Markup:
    """One figure of a confusion table on a ground as dark as its share is large."""
    ground = (
        round(a + (b - a) * share) for a, b in zip((238, 242, 245), (0, 90, 141), strict=True)
    )
    ink = "#ffffff" if share > 0.7 else "#111111"
    rest = (x + side / 2, y + side / 2)
    return Markup(
        '<rect x="{}" y="{}" width="{}" height="{}" rx="5" fill="rgb({})"/>'
        '<text class="mid count" x="{}" y="{}" style="fill: {}">{}</text>'
        '<text class="mid" x="{}" y="{}" style="fill: {}">{} %</text>'
    ).format(
        x + 1, y + 1, side - 2, side - 2, ", ".join(map(str, ground)),
        rest[0], rest[1] + 1, ink, count, rest[0], rest[1] + 15, ink, f"{share * 100:.0f}",
    )  # fmt: skip


def _lines(label: str) -> tuple[str, str]:
    """A column's heading in two lines, the upper one empty where one is enough."""
    cut = label.rfind("-") + 1 if len(label) > 9 else 0
    return _short(label[:cut], 10), _short(label[cut:], 10)


def _short(label: str, most: int) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"


def _sheet(
    cells: Sequence[Markup], width: int, height: int, title: str, note: str, synthetic: bool
) -> Markup:
    """Charts in rows under a title, as a whole SVG file."""
    columns = min(COLUMNS, len(cells))
    across, top = columns * width, 64 if synthetic else 48
    down = top + -(-len(cells) // columns) * height
    parts = [text(10, 20, title, "title"), text(10, 38, f"Held-out patients; {note}", "note")]
    if synthetic:
        parts.append(text(10, 55, SYNTHETIC, "alarm"))
    for i, cell in enumerate(cells):
        x, y = i % columns * width, top + i // columns * height
        parts.append(Markup('<g transform="translate({} {})">{}</g>').format(x, y, cell))
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}" height="{}">'
        '<title>{}</title><style>{}</style><rect width="100%" height="100%" fill="#ffffff"/>'
        "{}</svg>\n"
    ).format(across, down, across, down, title, STYLE, Markup("").join(parts))
