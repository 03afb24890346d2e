"""Where a reader sees the data of a chart: coordinates read back from its SVG."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from echokit.report.charts.figure import to_svg


def svg_points(svg, variable, attribute="stroke"):
    """The points of every path in one of the page's colours; y grows downwards, as in any SVG."""
    found = []
    for path in ElementTree.fromstring(str(svg)).iter("path"):
        if f"{attribute}: var({variable})" in path.get("style", ""):
            moved = re.findall(r"-?[\d.]+", path.get("transform", "0 0"))
            figures = [float(one) for one in re.findall(r"-?[\d.]+", path.get("d"))]
            found.append(np.array(figures).reshape(-1, 2) + [float(one) for one in moved])
    return found


def seen_at(figure, x, y):
    """Where matplotlib places data, as coordinates of the SVG."""
    axes = figure.axes[0]
    height = figure.get_size_inches()[1] * 72
    pixels = axes.transData.transform(np.column_stack([x, y]).astype(float))
    return np.column_stack([pixels[:, 0], height - pixels[:, 1]])


@pytest.fixture
def assert_drawn():
    """A function that finds a line in the SVG, at its data, with more of y further up."""

    def check(figure, variable, x, y):
        lines = svg_points(to_svg(figure, "label"), variable)
        expected = seen_at(figure, x, y)
        assert any(
            line.shape == expected.shape and np.allclose(line, expected, atol=0.011)
            for line in lines
        )
        low, high = figure.axes[0].get_ylim()
        bottom, top = seen_at(figure, [0, 0], [low, high])[:, 1]
        assert low < high
        assert top < bottom  # the SVG's y grows downwards

    return check
