"""Patients who are not judged: the section of the page and the sentences of the terminal."""

from __future__ import annotations

import json

import pytest

from echokit.report import build_run_report, summary_table
from echokit.report.results import read_results
from echokit.report.sections.abstention import abstention_sentences, abstention_view

FIGURES = {
    "coverage": {"mean": 0.9, "sd": 0.02, "ci95": [0.81, 0.97]},
    "accuracy": {"mean": 0.84, "sd": None, "ci95": None},
    "accuracy_of_all": {"mean": 0.8, "sd": None, "ci95": None},
    "reasons": {"too-few-views": 1, "views-disagree": 3},
}
CURVE = {"coverage": [0.5, 1.0], "accuracy": [0.9, 0.8], "error": 0.2}


@pytest.fixture
def abstaining(small, kit):
    """A run whose recipe abstains, with the curve of its agreement."""
    metrics = json.loads((small / "metrics.json").read_text())
    row = metrics["rows"][-1]
    row["abstention"] = FIGURES
    kit.dump(small / "metrics.json", metrics)
    place = {key: row[key] for key in ("task", "approach", "views")}
    results = read_results(small)
    results.recipe["aggregate"] = {"abstain": {"views": 2, "agreement": 0.5, "confidence": 0.0}}
    results.calibration["rows"] = [place | {"vote": {"selective": CURVE}}]
    return results


def test_the_section_gives_coverage_accuracy_and_reasons_beside_the_curve(abstaining):
    view = abstention_view(abstaining)
    assert view.rule == "fewer than 2 views voted or less than 50% of the votes agree"
    [line] = view.lines
    assert line.coverage == ("0.90 ± 0.02", "0.81–0.97")
    assert (line.accuracy[0], line.of_all[0]) == ("0.84", "0.80")
    assert line.reasons == "4 (too few views 1 and views disagree 3)"
    [chart] = view.charts
    assert "the rule judges 0.90, accuracy 0.84" in chart.drawing


def test_without_a_curve_the_table_stands_alone(abstaining):
    abstaining.calibration.clear()
    view = abstention_view(abstaining)
    assert (len(view.lines), view.charts) == (1, ())


def test_the_terminal_says_the_same_in_a_sentence(abstaining):
    [sentence] = abstention_sentences(abstaining)
    assert "0.90 ± 0.02 judged, accuracy 0.84 of these and 0.80 of all" in sentence
    assert "views disagree 3" in summary_table(abstaining.root).caption


def test_the_page_holds_the_section(abstaining, kit):
    page = kit.Page(build_run_report(abstaining.root))
    assert "views disagree 3" in page.inside("abstention")


def test_a_run_that_judges_everyone_has_no_section(small, kit):
    assert abstention_view(read_results(small)) is None
    assert 'id="abstention"' not in build_run_report(small).read_text("utf-8")
