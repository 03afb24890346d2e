"""Gauge and forest, checked by the coordinates of their SVG."""

from xml.etree import ElementTree

import pytest

from echokit.report.charts.forest import forest, gauge


def cell(mean, low=None, high=None):
    return {"mean": mean, "sd": 0.05, "ci95": None if low is None else [low, high]}


def circles(svg):
    return [
        (float(one.get("cx")), float(one.get("cy")), one.get("class"))
        for one in ElementTree.fromstring(str(svg)).iter("circle")
    ]


def whiskers(svg):
    return [
        [tuple(map(float, point.split(","))) for point in one.get("points").split()]
        for one in ElementTree.fromstring(str(svg)).iter("polyline")
        if "whisker" in one.get("class")
    ]


def texts(svg, kind):
    return {
        one.text: float(one.get("y")) - 3.5
        for one in ElementTree.fromstring(str(svg)).iter("text")
        if kind in one.get("class")
    }


def across(value):
    """Where a figure lies in the forest: 0 at 64, 1 at 460 - 92."""
    return pytest.approx(64 + value * (460 - 92 - 64), abs=0.06)


ROWS = [
    {"views": views, "approach": approach, "f1": cell(mean, mean - 0.2, mean + 0.1)}
    for views, means in (("PLAX", (0.3, 0.4)), ("A4C", (0.5, 0.6)), ("MV-3", (0.7, 0.8)))
    for approach, mean in zip(("spatio-temporal", "spatial"), means, strict=True)
]


def test_every_row_lies_at_its_figure_with_its_interval():
    svg = forest(ROWS, "f1", ("spatio-temporal", "spatial"))
    assert len(circles(svg)) == len(ROWS)
    for row, (x, y, _), ((low, y0), (high, y1)) in zip(
        ROWS, circles(svg), whiskers(svg), strict=True
    ):
        assert x == across(row["f1"]["mean"])
        assert (low, high) == tuple(map(across, row["f1"]["ci95"]))
        assert y0 == y1 == y


def test_rows_run_from_top_to_bottom_beside_their_names():
    svg = forest(ROWS, "f1", ("spatio-temporal", "spatial"))
    heights = [y for _, y, _ in circles(svg)]
    assert heights == sorted(heights)
    names = texts(svg, "name")
    assert list(names) == ["PLAX", "A4C", "MV-3"]
    for i, middle in enumerate(names.values()):
        upper, lower = heights[2 * i : 2 * i + 2]
        assert (upper + lower) / 2 == pytest.approx(middle, abs=0.06)
    for row, y in zip(ROWS, heights, strict=True):
        assert texts(svg, "value")[f"{row['f1']['mean']:.2f} ± 0.05"] == pytest.approx(y, abs=0.06)


def test_the_first_approach_is_filled_and_the_second_hollow():
    svg = forest(ROWS, "f1", ("spatio-temporal", "spatial"))
    assert [kind for _, _, kind in circles(svg)] == ["dot c0", "dot c2 hollow"] * 3


def test_a_row_without_the_figure_has_no_mark():
    rows = [ROWS[0], ROWS[2] | {"f1": None}, ROWS[4] | {"f1": cell(0.7)}]
    svg = forest(rows, "f1", ("spatio-temporal",))
    assert [x for x, _, _ in circles(svg)] == [across(0.3), across(0.7)]
    assert len(whiskers(svg)) == 1
    assert list(texts(svg, "name")) == ["PLAX", "A4C", "MV-3"]


def test_the_grid_is_named_by_its_figures():
    ticks = ElementTree.fromstring(str(forest(ROWS, "f1", ("spatio-temporal", "spatial"))))
    places = {
        one.text: float(one.get("x")) for one in ticks.iter("text") if "tick" in one.get("class")
    }
    assert places == {f"{n / 5:.1f}": across(n / 5) for n in range(6)}


def test_the_gauge_shows_figure_interval_and_guess():
    def at(value):
        return pytest.approx(6 + value * 188, abs=0.06)

    svg = gauge(cell(0.8, 0.6, 0.9), 0.5)
    ((x, y, kind),) = circles(svg)
    assert (x, y, kind) == (at(0.8), 11.0, "dot c0")
    (((low, _), (high, _)),) = whiskers(svg)
    assert (low, high) == (at(0.6), at(0.9))
    (tick,) = (
        one.get("points") for one in ElementTree.fromstring(str(svg)).iter("polyline")
        if one.get("class") == "chance"
    )  # fmt: skip
    assert [float(point.split(",")[0]) for point in tick.split()] == [at(0.5)] * 2
    bare = ElementTree.fromstring(str(gauge(cell(0.8), None)))
    assert [one.get("class") for one in bare.iter("polyline")] == ["track"]


def test_both_say_in_words_what_they_show():
    svg = forest(ROWS[:1], "f1", ("spatio-temporal",))
    label = ElementTree.fromstring(str(svg)).get("aria-label")
    assert label == "PLAX spatio-temporal 0.30 ± 0.05, 0.10–0.40"
    label = ElementTree.fromstring(str(gauge(cell(0.8, 0.6, 0.9), 0.5))).get("aria-label")
    assert label == "0.80, 95 % interval 0.60–0.90; guessing lies at 0.50"
