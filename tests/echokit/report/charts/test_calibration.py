"""Reliability and coverage, checked by the lines and dots that were drawn."""

import numpy as np
import pytest

from echokit.report.charts.calibration import (
    AREA,
    coverage,
    coverage_words,
    read_coverage,
    read_reliability,
    reliability,
    reliability_words,
)

BINS = [
    {"confidence": 0.55, "accuracy": 0.5, "n": 4},
    {"confidence": 0.75, "accuracy": 0.9, "n": 20},
    {"confidence": 0.95, "accuracy": 0.8, "n": 16},
]
CURVE = {"coverage": [0.25, 0.5, 1.0], "accuracy": [1.0, 0.9, 0.7], "error": 0.3}


def test_dots_lie_at_stated_and_observed_and_their_area_is_the_share(assert_drawn):
    before = read_reliability("as stated", "c0", BINS)
    after = read_reliability("with temperature", "c2", BINS[:2])
    figure = reliability([before, after])
    dots = {one.get_label(): one for one in figure.axes[0].collections}
    np.testing.assert_allclose(
        dots["as stated"].get_offsets(), [(0.55, 0.5), (0.75, 0.9), (0.95, 0.8)]
    )
    sizes = dots["as stated"].get_sizes()
    np.testing.assert_allclose(sizes, AREA * np.array([4, 20, 16]) / 40)
    np.testing.assert_allclose(dots["with temperature"].get_sizes(), AREA * np.array([4, 20]) / 24)
    assert_drawn(figure, "--c0", before.stated, before.observed)
    assert_drawn(figure, "--c2", after.stated, after.observed)
    assert_drawn(figure, "--muted", (0, 1), (0, 1))
    words = reliability_words([before], "PLAX")
    assert "0.50 right at 0.55, 0.90 right at 0.75, 0.80 right at 0.95" in words


def test_accuracy_rises_as_fewer_are_kept(assert_drawn):
    line = read_coverage("by probability", "c0", CURVE)
    figure = coverage([line])
    assert_drawn(figure, "--c0", CURVE["coverage"], CURVE["accuracy"])
    assert_drawn(figure, "--muted", (0, 1), (0.7, 0.7))
    drawn = {one.get_label(): one for one in figure.axes[0].get_lines()}
    assert drawn["by probability"].get_ydata() == pytest.approx([1.0, 0.9, 0.7])
    assert drawn["by probability"].get_marker() == "o"
    assert "0.70 right of all, 1.00 of the surest" in coverage_words([line], "PLAX")


def test_many_steps_are_a_line_without_dots():
    steps = np.linspace(0.05, 1, 20)
    long = CURVE | {"coverage": steps.tolist(), "accuracy": (1 - steps / 3).tolist()}
    lines = coverage([read_coverage("by probability", "c0", long)]).axes[0].get_lines()
    assert [line.get_marker() for line in lines] == ["None", "None"]
