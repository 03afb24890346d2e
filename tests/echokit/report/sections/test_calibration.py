"""How far to trust a figure: the section of the page says what the file says, and no more."""

import pytest

from echokit.report import build_run_report
from echokit.report.results import read_results
from echokit.report.sections.calibration import calibration_view

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


def test_the_words_are_plain_and_their_figures_those_of_the_file(page):
    text = page(row("PLAX"), row("MV-3")).text
    assert "MV-3: on average the most probable label is given 0.87" in text  # (.55 * 4 + .95 * 16)
    assert "it is the true one for 0.70 of 20 patients" in text
    assert "The calibration error is 0.17; by chance alone" in text
    assert "at 90 % asked, the sets held the true label for 0.88 of 20 patients" in text
    assert "0.71 had a single label, right in 0.92 of these" in text
    assert "PLAX: on average" not in text  # the words are of sets of views, where there are any
    assert "Fitted on training patients." in text


def test_where_a_temperature_raises_the_error_is_said(page):
    hot = WARM | {"ece": {"mean": 0.3, "sd": None, "pooled": 0.21}}
    cold = WARM | {"ece": {"mean": 0.1, "sd": None, "pooled": 0.11}}
    rows = [row("PLAX", tempered=hot), row("A4C", tempered=cold), row("MV-3", tempered=hot)]
    said = "The temperature raises the calibration error in 2 of 3 rows: "
    assert f"{said}PLAX (0.17 to 0.21) and MV-3 (0.17 to 0.21)." in page(*rows).text
    assert "raises the calibration error" not in page(row("MV-3", tempered=cold)).text


def test_before_and_after_stand_beside_each_other(page):
    words = page(row("MV-3")).text
    for figure in ("0.41 ± 0.03", "0.33 ± 0.02", "2.34 ± 0.12", "by chance 0.06", "0.12 / 0.30"):
        assert figure in words
    assert "61, all labels together" in words
    assert "61, each label by itself" in words
    assert "none 0.95 · PH –" in words


def test_every_table_and_drawing_of_a_synthetic_run_says_so(page):
    section = page(row("MV-3")).source.partition('id="trust"')[2].partition("</section>")[0]
    assert section.count("Synthetic cohort") >= section.count("<caption") + 2


def test_the_drawings_tell_in_words_what_they_show(page):
    labels = [
        attributes["aria-label"]
        for attributes in page(row("MV-3")).all("svg")
        if "aria-label" in attributes
    ]
    assert any("as stated 0.50 right at 0.55, 0.75 right at 0.95" in label for label in labels)
    assert any("by probability 0.70 right of all, 1.00 of the surest" in label for label in labels)


def test_without_cross_fitting_the_page_shows_the_rest_and_the_note(page):
    built = page(row("MV-3", tempered=None, conformal=None), notes=["crossfit.folds is 0"])
    assert "crossfit.folds is 0" in built.text
    assert "Sets of labels" not in built.text
    assert "with temperature" not in [words.strip() for words in built.words]
    assert "If the least sure are left to a person" in built.text


def test_predictions_of_several_splits_are_told_from_patients(page):
    text = page(row("MV-3", n_predictions=60, n_subjects=45, n_splits=3)).text
    assert "of 60 predictions on 45 patients" in text


def test_a_run_without_the_file_has_no_section_and_misses_nothing(small, kit):
    assert calibration_view(read_results(small)) is None
    built = kit.Page(build_run_report(small))
    assert "How far to trust" not in built.text
    assert "calibration.json" not in built.text


def test_a_run_that_cross_fits_misses_the_file_by_name(small, kit):
    with (small / "recipe.toml").open("a") as file:
        file.write("[crossfit]\nfolds = 2\n")
    assert "calibration.json is not there" in kit.Page(build_run_report(small)).text


@pytest.mark.parametrize("broken", ["{", "[]", '{"rows": [{"task": "binary"}]}'])
def test_a_broken_file_is_named_and_the_page_is_made_all_the_same(small, kit, broken):
    (small / "calibration.json").write_text(broken)
    text = kit.Page(build_run_report(small)).text
    assert "calibration.json cannot be read" in text
    assert "How far to trust" not in text


def test_a_strangers_words_stay_words(page, kit):
    evil = row(kit.HOSTILE, classes=[kit.HOSTILE])
    built = page(evil, notes=[kit.HOSTILE])
    assert "<script" not in built.source
