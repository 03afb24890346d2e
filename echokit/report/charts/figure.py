"""Draw charts with matplotlib, and write them as SVG in the colours and fonts of the page.

Charts are drawn on a `Figure` of their own, never through pyplot, which keeps figures in a global
list. scikit-learn's `RocCurveDisplay` and its like import pyplot, so they are not used.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Literal
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, LINE, CARD = "#15212c", "#566675", "#dce3e9", "#ffffff"
HEAT, ON_HEAT = "#005a8d", "#fefefe"
SERIES = {"c0": "#0072b2", "c1": "#cf8a00", "c2": "#c8480a", "c3": "#00805d", "c4": "#a64d86"}
"""Colour of each series by its CSS class."""
DASHES = {"c0": (), "c1": (3, 1.5), "c2": (1, 1.25), "c3": (4.5, 1.5, 1, 1.5), "c4": (2, 1, 0.5, 1)}
"""Dashes of each series in line widths, so that lines differ without colour too."""
VARIABLES = {
    INK: "--ink", MUTED: "--muted", LINE: "--line", CARD: "--card", HEAT: "--heat",
    ON_HEAT: "--on-heat", **{value: f"--{name}" for name, value in SERIES.items()},
}  # fmt: skip
"""Colour as drawn, which is that of the light page -> CSS variable that takes its place."""
HALVES = (0.0, 0.5, 1.0)

_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
_FONTS = "Helvetica, Arial, 'DejaVu Sans', sans-serif"


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of a size in CSS pixels."""
    return Figure(figsize=(width / 72, height / 72), dpi=72)


def new_axes(figure: Figure, left: float, bottom: float, right: float = 8, top: float = 8) -> Axes:
    """Add axes with margins in CSS pixels: grid lines, no frame, small grey figures."""
    width, height = figure.get_size_inches() * 72
    axes = figure.add_axes(
        (
            left / width,
            bottom / height,
            1 - (left + right) / width,
            1 - (bottom + top) / height,
        )
    )
    axes.set_axisbelow(True)
    axes.grid(color=LINE, linewidth=1, clip_on=False)
    axes.tick_params(length=0, labelsize=10.5, labelcolor=MUTED, pad=5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def unit_axes(figure: Figure, x: str, y: str) -> Axes:
    """Add axes whose two sides run from 0 to 1, with their names."""
    axes = new_axes(figure, left=44, bottom=34)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=HALVES, yticks=HALVES)
    axes.set_xlabel(x, fontsize=10.5, color=MUTED, labelpad=4, parse_math=False)
    axes.set_ylabel(y, fontsize=10.5, color=MUTED, labelpad=3, parse_math=False)
    return axes


def draw_line(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    series: str,
    label: str,
    width: float = 2,
) -> None:
    """Draw the line of one series.

    Args:
        axes: where to draw.
        x: across.
        y: up.
        series: CSS class of its colour, a key of `SERIES`.
        label: its name, by which it is found again in the figure.
        width: of the line, in CSS pixels.
    """
    (line,) = axes.plot(x, y, color=SERIES[series], linewidth=width, label=label, clip_on=False)
    if DASHES[series]:
        line.set_linestyle((0, DASHES[series]))


def draw_guess(axes: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    """Draw a dotted line where a result without information would lie."""
    axes.plot(
        x, y, color=MUTED, linewidth=1, linestyle=(0, (2, 4)), label="guess", zorder=1,
        clip_on=False,
    )  # fmt: skip


def write(
    axes: Axes, x: float, y: float, words: str, *, align: Literal["left", "center", "right"],
    colour: str = MUTED, size: float = 10.5, bold: bool = False,
) -> None:  # fmt: skip
    """Write words at a place in data coordinates, centred on their height."""
    axes.text(
        x, y, words, ha=align, va="center_baseline", color=colour, fontsize=size,
        fontweight="bold" if bold else "normal", parse_math=False,
    )  # fmt: skip


def to_svg(figure: Figure, label: str) -> Markup:
    """Write a figure as SVG for a page: the page's colours and fonts, no id, no address.

    Args:
        figure: what to write; the same figure always gives the same bytes.
        label: what it shows, for those who cannot see it.
    """
    root = _plain_tree(figure)
    root.attrib = {
        "viewBox": root.get("viewBox", ""),
        "role": "img",
        "aria-label": label,
        "stroke-linejoin": "round",
    }
    for element in root.iter():
        if style := element.get("style"):
            element.set("style", re.sub(r"#[0-9a-f]{6}", _variable, style))
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704  (escaped by it)


def to_svg_file(figure: Figure, title: str) -> str:
    """Write a figure as an SVG file of its own, in the colours of the light page on white."""
    root = _plain_tree(figure)
    box = root.get("viewBox", "")
    _, _, width, height = box.split()
    root.attrib = {
        "xmlns": _SVG[1:-1],
        "viewBox": box,
        "width": width,
        "height": height,
        "font-family": _FONTS,
        "stroke-linejoin": "round",
    }
    named = ElementTree.Element("title")
    named.text = title
    ground = ElementTree.Element("rect", {"width": "100%", "height": "100%", "fill": CARD})
    root[:0] = [named, ground]
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _plain_tree(figure: Figure) -> ElementTree.Element:
    """The SVG that matplotlib writes, without what would clash or show in a page."""
    data = io.BytesIO()
    # words stay words, in the page's font; the salt makes names that depend on the figure alone
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "echokit"}):
        figure.savefig(
            data,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    root = ElementTree.fromstring(data.getvalue())  # noqa: S314  (written a line above)
    marks = {path.get("id"): path for path in root.iter(f"{_SVG}path") if path.get("id")}
    _strip(root, marks)
    return root


def _strip(parent: ElementTree.Element, marks: dict[str | None, ElementTree.Element]) -> None:
    """Put each mark where it is used, and drop ids, definitions and empty groups.

    Ids would have to be unique among all charts of a page, and a `<style>` would hold for all.
    """
    for element in list(parent):
        element.tag = element.tag.removeprefix(_SVG)
        if element.tag == "defs":
            parent.remove(element)
            continue
        if element.tag == "use":
            mark = marks[element.get(_LINK, "").removeprefix("#")]
            style = "; ".join(filter(None, (mark.get("style"), element.get("style"))))
            place = f"translate({_short(element.get('x', '0'))} {_short(element.get('y', '0'))})"
            element.tag = "path"
            element.attrib = {"d": mark.get("d", ""), "transform": place, "style": style}
        _tidy(element)
        _strip(element, marks)
        if element.tag == "g" and not len(element):
            parent.remove(element)
    parent.tag = parent.tag.removeprefix(_SVG)
    if parent.text and not parent.text.strip():
        parent.text = None


def _tidy(element: ElementTree.Element) -> None:
    """Shorten figures, and leave the choice of the font to the page."""
    element.tail = None
    for name in ("id", "clip-path"):
        element.attrib.pop(name, None)
    for name in ("d", "x", "y", "transform"):
        if name in element.attrib:
            element.set(name, _short(element.get(name, "")))
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    if style := element.get("style"):
        element.set("style", re.sub(r"font-family: [^;]*;? ?", "", style))


def _short(figures: str) -> str:
    """Figures with at most two decimals, all in one line."""
    rounded = re.sub(
        r"-?\d+\.\d+", lambda one: f"{float(one[0]):.2f}".rstrip("0").rstrip("."), figures
    )
    return " ".join(rounded.split())


def _variable(colour: re.Match[str]) -> str:
    name = VARIABLES.get(colour[0])
    return f"var({name})" if name else colour[0]
