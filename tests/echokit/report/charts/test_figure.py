"""What every chart drawn by matplotlib has in common once it is SVG."""

import re
from xml.etree import ElementTree

import pytest

from echokit.report.charts.curves import roc
from echokit.report.charts.figure import (
    CARD,
    ON_HEAT,
    SERIES,
    VARIABLES,
    draw_line,
    new_axes,
    new_figure,
    to_svg,
    to_svg_file,
    unit_axes,
    write,
)
from echokit.report.page import render

HOSTILE = '"><script>alert(1)</script> $x^2$ <b>'


@pytest.fixture
def figure():
    figure = new_figure(210, 210)
    axes = unit_axes(figure, "across", "up")
    for i, series in enumerate(SERIES):
        draw_line(axes, (0, 0.5, 1), (0, i / 5, 1), series, series)
    axes.scatter((0.2, 0.4), (0.3, 0.3), s=(10, 40), color=SERIES["c0"])
    axes.plot((0.5,), (0.5,), marker="o", color=SERIES["c2"])
    write(axes, 0.5, 0.5, HOSTILE, align="center")
    return figure


def test_the_same_figure_gives_the_same_bytes_and_a_label(figure):
    svg = to_svg(figure, HOSTILE)
    assert svg == to_svg(figure, HOSTILE)
    root = ElementTree.fromstring(str(svg))
    assert (root.get("role"), root.get("aria-label")) == ("img", HOSTILE)
    assert root.get("viewBox") == "0 0 210 210"


def test_no_id_no_style_sheet_and_no_address_stand_in_a_page(figure):
    svg = to_svg(figure, "x")
    root = ElementTree.fromstring(str(svg))
    assert not {"style", "defs", "use", "metadata", "clipPath"} & {one.tag for one in root.iter()}
    assert not {"id", "clip-path", "href"} & {name for one in root.iter() for name in one.attrib}
    assert "http" not in svg
    assert "url(" not in svg


def test_every_colour_is_one_of_the_page_and_every_font_its_own(figure):
    svg = to_svg(figure, "x")
    assert not re.search(r"(fill|stroke): *#", svg)
    assert "font-family" not in svg
    assert {f"var(--{name})" for name in SERIES} <= set(re.findall(r"var\(--\w+\)", svg))


def test_nothing_is_mirrored_or_scaled_once_it_is_drawn(figure):
    root = ElementTree.fromstring(str(to_svg(figure, "x")))
    assert set(root.attrib) == {"viewBox", "role", "aria-label", "stroke-linejoin"}
    moves = {one.get("transform").partition("(")[0] for one in root.iter() if one.get("transform")}
    assert moves == {"translate", "rotate"}  # marks, and the name of the upright axis


def test_words_are_words_and_not_mathematics(figure):
    texts = [
        "".join(one.itertext()) for one in ElementTree.fromstring(to_svg(figure, "")).iter("text")
    ]
    assert HOSTILE in texts
    assert {"across", "up", "0.0", "1.0"} <= set(texts)


def test_charts_are_drawn_in_the_colours_of_the_light_page():
    light = render("style.css.j2").partition("@media")[0]
    for colour, variable in VARIABLES.items():
        colour = CARD if colour == ON_HEAT else colour  # told apart from the ground to be found
        assert f"{variable}: {colour};" in light


def test_a_file_of_its_own_has_its_colours_size_and_title(figure):
    root = ElementTree.fromstring(to_svg_file(figure, HOSTILE))
    svg = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{svg}svg"
    assert (root.get("width"), root.get("height")) == ("210", "210")
    assert root.find(f"{svg}title").text == HOSTILE
    styles = " ".join(one.get("style", "") for one in root.iter())
    assert "var(" not in styles
    assert SERIES["c2"] in styles


def test_marks_stand_where_they_are_used():
    figure = new_figure(100, 100)
    axes = new_axes(figure, left=0, bottom=0, right=0, top=0)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.plot((0.25,), (0.75,), marker="o", color=SERIES["c0"], clip_on=False)
    (mark,) = (
        one for one in ElementTree.fromstring(to_svg(figure, "x")).iter("path")
        if one.get("transform")
    )  # fmt: skip
    assert mark.get("transform") == "translate(25 25)"
    assert "fill: var(--c0)" in mark.get("style")


def test_drawing_leaves_no_figure_behind_in_pyplot():
    import sys

    roc([], ["none", "PH"])
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
