"""Differences between voting rules, checked by position and fill."""

import pytest
from matplotlib.colors import to_hex

from echokit.report.charts.differences import Difference, differences_chart, differences_words
from echokit.report.charts.figure import CARD, SERIES

ROWS = [
    Difference("mean probability", 0.02, -0.02, 0.06, clear=False),
    Difference("stacking", 0.1, 0.02, 0.18, clear=True),
    Difference("median", -0.05, -0.09, -0.01, clear=True),
]


@pytest.fixture
def marks():
    lines = differences_chart(ROWS).axes[0].get_lines()
    return {line.get_label(): line for line in lines}


def test_marks_and_intervals_lie_at_the_differences(marks):
    for row in ROWS:
        assert marks[row.rule].get_xdata().tolist() == [row.mean]
        assert marks[f"interval of {row.rule}"].get_xdata().tolist() == [row.low, row.high]
    assert list(marks["no difference"].get_xdata()) == [0, 0]


def test_a_mark_is_filled_where_the_interval_leaves_out_zero(marks):
    fills = {row.rule: to_hex(marks[row.rule].get_markerfacecolor()) for row in ROWS}
    assert fills == {
        "mean probability": CARD, "stacking": SERIES["c0"], "median": SERIES["c0"],
    }  # fmt: skip


def test_rules_stand_from_top_to_bottom_beside_their_names():
    figure = differences_chart(ROWS)
    axes = figure.axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    heights = [axes.transData.transform((0, lines[row.rule].get_ydata()[0]))[1] for row in ROWS]
    assert heights == sorted(heights, reverse=True)
    names = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert all(names[row.rule] == lines[row.rule].get_ydata()[0] for row in ROWS)
    assert axes.get_xlim()[0] < axes.get_xlim()[1]


def test_the_words_hold_every_difference():
    words = differences_words(ROWS, "majority vote")
    assert "stacking +0.10, +0.02 to +0.18" in words
    assert "median −0.05, −0.09 to −0.01" in words
