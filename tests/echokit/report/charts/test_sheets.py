"""ROC curves and confusion matrices as files for a manuscript."""

from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from echokit.report.charts.sheets import confusion_sheet, roc_sheet, write_sheets
from echokit.report.judged import curves, judged
from echokit.report.results import read_results

LABELS = ["none", "mild", "moderate-severe"]


@pytest.fixture
def groups(run):
    found = judged(read_results(run).predictions, "severity", LABELS)
    return [group for group in found if group.approach == "spatial"]


def test_every_view_has_its_confusion_matrix(groups, run):
    table = read_results(run).predictions.query("task == 'severity' and approach == 'spatial'")
    sheet = confusion_sheet(groups, "Confusion matrices", synthetic=True)
    assert len(sheet.axes) == 7
    for axes in sheet.axes:
        rows = table[table["view"] == axes.get_title("left")]
        expected = confusion_matrix(rows["label"], rows["predicted"], labels=LABELS)
        counts = [int(text.get_text()) for text in axes.texts if "%" not in text.get_text()]
        assert counts == expected.ravel().tolist()


def test_every_view_has_its_roc_curves_and_their_areas(groups):
    sheet = roc_sheet(groups, "ROC curves", synthetic=False)
    for group, axes in zip(groups, sheet.axes, strict=True):
        found = curves(group)
        lines = axes.get_lines()[1:]
        for curve, line in zip(found, lines, strict=True):
            np.testing.assert_allclose(line.get_xydata(), np.column_stack([curve.fpr, curve.tpr]))
        said = [text.get_text() for text in axes.get_legend().get_texts()]
        assert said == [f"{curve.label} {curve.area:.2f}" for curve in found]
        assert axes.get_ylim() == (0, 1)


def test_charts_do_not_overlap(groups):
    for sheet in (confusion_sheet(groups, "t", True), roc_sheet(groups, "t", True)):
        boxes = [axes.get_position() for axes in sheet.axes]
        assert all(0 <= b.x0 < b.x1 <= 1 and 0 <= b.y0 < b.y1 <= 1 for b in boxes)
        pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
        assert not any(a.overlaps(b) for a, b in pairs)


@pytest.mark.parametrize("synthetic", [True, False])
def test_files_stand_alone_and_say_if_the_cohort_is_synthetic(groups, tmp_path, synthetic):
    files = write_sheets(tmp_path, ("severity", "a/../b"), groups, synthetic)
    assert files == (
        "report/figures/roc-severity-a_b.svg",
        "report/figures/confusion-severity-a_b.svg",
    )
    for file in files:
        text = (tmp_path / file).read_text("utf-8")
        ElementTree.fromstring(text)
        assert ("ynthetic" in text) is synthetic
        assert "var(" not in text


def test_without_predictions_nothing_is_written(tmp_path):
    assert write_sheets(tmp_path, ("severity", "spatial"), [], synthetic=True) == ()
    assert list(tmp_path.iterdir()) == []
