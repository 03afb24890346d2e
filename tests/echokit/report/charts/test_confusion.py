"""Confusion matrices, checked cell by cell."""

from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from echokit.report.charts.confusion import confusion_chart, confusion_words, row_shares
from echokit.report.charts.figure import ON_HEAT, to_svg

CLASSES = ["none", "mild", "moderate-severe"]
TABLE = np.array([[20, 3, 0], [0, 4, 2], [0, 0, 0]])


def placed(svg, words):
    """Where words stand in the SVG."""
    (found,) = (
        text
        for text in ElementTree.fromstring(svg).iter("text")
        if "".join(text.itertext()) == words
    )
    return float(found.get("x")), float(found.get("y"))


def test_each_cell_has_its_count_its_share_and_its_depth():
    axes = confusion_chart(TABLE, CLASSES).axes[0]
    cells = {(int(p.get_y()), int(p.get_x())): p for p in axes.patches}
    texts = {}
    for text in axes.texts:
        x, y = text.get_position()
        texts.setdefault((int(y), int(x)), []).append(text.get_text())
    shares = row_shares(TABLE)
    for place in np.ndindex(3, 3):
        assert texts[place] == [str(TABLE[place]), f"{shares[place] * 100:.0f} %"]
        assert cells[place].get_alpha() == pytest.approx(0.06 + 0.94 * shares[place])


def test_rows_are_true_labels_from_the_top_and_columns_predictions_from_the_left():
    svg = str(to_svg(confusion_chart(np.array([[11, 22], [33, 44]]), ["none", "PH"]), "x"))
    places = {n: placed(svg, n) for n in ("11", "22", "33", "44")}
    assert places["11"][1] == places["22"][1] < places["33"][1] == places["44"][1]
    assert places["11"][0] == places["33"][0] < places["22"][0] == places["44"][0]


def test_the_figures_of_a_dark_cell_are_light():
    axes = confusion_chart(TABLE, CLASSES).axes[0]
    light = {text.get_text() for text in axes.texts if text.get_color() == ON_HEAT}
    assert light == {"20", "87 %"}


def test_the_words_hold_every_count():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 3, (2, 60))
    table = confusion_matrix(truth, predicted)
    words = confusion_words(table, CLASSES, "PLAX")
    for i, label in enumerate(CLASSES):
        row = ", ".join(f"{table[i, j]} as {name}" for j, name in enumerate(CLASSES))
        assert f"true {label}: {row}" in words
