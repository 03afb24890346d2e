"""Calibration: the section of the page says what the file says, and no more."""

import re

import pytest

from echokit.report import build_run_report
from echokit.report.results import read_results
from echokit.report.sections.calibration import calibration_view, raised_by_temperature
from echokit.report.words import SYNTHETIC

BINS = [
    {"confidence": 0.55, "accuracy": 0.5, "n": 4},
    {"confidence": 0.95, "accuracy": 0.75, "n": 16},
]
CURVE = {
    "coverage": [0.25, 0.5, 1.0],
    "accuracy": [1.0, 0.9, 0.7],
    "aurc": {"mean": 0.12, "sd": None},
    "error": 0.3,
    "at": {"0.9": 0.7, "0.8": 0.71},
}
SURE = {
    "ece": {"mean": 0.17, "sd": None, "pooled": 0.17},
    "ece_by_chance": 0.06,
    "reliability": BINS,
    "selective": CURVE,
}
PROBABLE = SURE | {"brier": {"mean": 0.41, "sd": 0.03}, "nll": {"mean": 0.9, "sd": 0.1}}
WARM = PROBABLE | {"temperature": {"mean": 2.34, "sd": 0.12}, "brier": {"mean": 0.33, "sd": 0.02}}
SETS = [
    {
        "level": level,
        "by_label": level < 0.9,
        "n_calibration": 61,
        "coverage": level - 0.02,
        "coverage_by_label": {"none": 0.95, "PH": None},
        "size": 1.3,
        "single": 0.71,
        "single_right": 0.92,
        "empty": 0.03,
    }
    for level in (0.9, 0.8)
]


def row(views, **changes):
    place = {"task": "binary", "approach": "spatial", "views": views, "classes": ["none", "PH"]}
    counts = {"n_subjects": 20, "n_predictions": 20, "n_splits": 1}
    judged = {"vote": SURE, "raw": PROBABLE, "tempered": WARM}
    return place | counts | judged | {"selective": CURVE, "conformal": SETS} | changes


@pytest.fixture
def page(small, kit):
    """A function that writes calibration.json and returns the run's page."""

    def build(*rows, notes=("Fitted on training patients.",)):
        document = {"schema": 1, "synthetic": True, "rows": list(rows), "notes": list(notes)}
        kit.dump(small / "calibration.json", document)
        return kit.Page(build_run_report(small))

    return build


def view(small):
    """The section's values: one task, one approach."""
    ((_, (approach,)),) = calibration_view(read_results(small)).tasks
    return approach


def figures(sentence):
    return re.findall(r"\d\.\d+", sentence)


def test_the_sentences_hold_the_figures_of_the_file(page, small):
    built = page(row("PLAX"), row("MV-3"))
    trust, sets = view(small).sentences  # of sets of views alone, where there are any
    assert trust.startswith("MV-3:")
    assert figures(trust) == ["0.87", "0.70", "0.17", "0.06"]  # 0.87: (.55 * 4 + .95 * 16) / 20
    assert figures(sets) == ["0.88", "0.71", "0.92"]
    assert all(words in built.text for words in (trust, sets, "Fitted on training patients."))


def test_where_a_temperature_raises_the_error_is_said():
    hot = WARM | {"ece": {"mean": 0.3, "sd": None, "pooled": 0.21}}
    cold = WARM | {"ece": {"mean": 0.1, "sd": None, "pooled": 0.11}}
    rows = [row("PLAX", tempered=hot), row("A4C", tempered=cold), row("MV-3", tempered=hot)]
    (words,) = raised_by_temperature(rows)
    assert "2 of 3 rows" in words
    assert re.findall(r"(\S+) \((\S+) to (\S+)\)", words) == [
        ("PLAX", "0.17", "0.21"),
        ("MV-3", "0.17", "0.21"),
    ]
    assert list(raised_by_temperature([row("MV-3", tempered=cold)])) == []


def test_before_and_after_stand_beside_each_other(page, small):
    built = page(row("MV-3"))
    (line,) = view(small).lines
    assert line.is_set
    assert line.before == ("0.17", "by chance 0.06", "0.41 ± 0.03")
    assert line.after == ("0.17", "by chance 0.06", "0.33 ± 0.02")
    assert line.vote == ("0.17", "by chance 0.06")
    assert line.temperature == "2.34 ± 0.12"
    assert line.right == ("0.70", "0.70", "0.71", "0.12 / 0.30")
    together, by_label = view(small).sets
    assert (together.asked, together.reached, together.size) == ("0.90", "0.88", "1.3")
    assert (by_label.single, by_label.single_right, by_label.empty) == ("0.71", "0.92", "0.03")
    assert by_label.by_label == "none 0.95 · PH –"
    assert together.calibrated != by_label.calibrated
    shown = [*line.right, line.temperature, together.calibrated, by_label.calibrated]
    assert all(words in built.text for words in shown)


def test_the_page_says_once_that_the_cohort_is_synthetic(page):
    assert page(row("MV-3")).text.count(SYNTHETIC) == 1


def test_the_drawings_tell_in_words_what_they_show(page):
    labels = [svg["aria-label"] for svg in page(row("MV-3")).all("svg") if "aria-label" in svg]
    assert any("0.50 right at 0.55, 0.75 right at 0.95" in label for label in labels)
    assert any("0.70 right of all, 1.00 of the surest" in label for label in labels)


def test_without_cross_fitting_the_page_shows_the_rest_and_the_note(page, small):
    built = page(row("MV-3", tempered=None, conformal=None), notes=["crossfit.folds is 0"])
    assert "crossfit.folds is 0" in built.text
    approach = view(small)
    assert approach.sets == ()
    (chart,) = approach.reliability
    assert len(chart.legend) == 1
    assert approach.lines[0].after == ("–", "", "–")
    assert len(approach.coverage) == 1


def test_predictions_of_several_splits_are_told_from_patients(page, small):
    page(row("MV-3", n_predictions=60, n_subjects=45, n_splits=3))
    assert view(small).lines[0].people == "60 predictions on 45 patients"


def test_a_run_without_the_file_has_no_section_and_misses_nothing(small, kit):
    assert calibration_view(read_results(small)) is None
    built = kit.Page(build_run_report(small))
    assert "calibration" not in built.ids
    assert built.data("file") == []


def test_a_run_that_cross_fits_misses_the_file_by_name(small, kit):
    with (small / "recipe.toml").open("a") as file:
        file.write("[crossfit]\nfolds = 2\n")
    assert kit.Page(build_run_report(small)).data("file") == ["calibration.json"]


@pytest.mark.parametrize("broken", ["{", "[]", '{"rows": [{"task": "binary"}]}'])
def test_a_broken_file_is_named_and_the_page_is_made_all_the_same(small, kit, broken):
    (small / "calibration.json").write_text(broken)
    built = kit.Page(build_run_report(small))
    assert built.data("file") == ["calibration.json"]
    assert "calibration" not in built.ids


def test_a_strangers_words_stay_words(page, kit):
    evil = row(kit.HOSTILE, classes=[kit.HOSTILE])
    built = page(evil, notes=[kit.HOSTILE])
    assert "<script" not in built.source
