"""Voting rules on the run's page: what it says of a lead, and what it says of none."""

from __future__ import annotations

import json
import re

import pytest

from echokit.report import build_run_report
from echokit.report.results import read_results
from echokit.report.sections.fusion import fusion_view
from echokit.report.sections.fusion_words import verdict, winners

VIEWS = ["PLAX", "A4C", "PSAX-P"]
SUBSETS = [[v] for v in VIEWS] + [VIEWS[:2], VIEWS[1:], VIEWS]
NAMES = ("majority-vote", "mean-probability", "stacking")


def cell(value):
    return {"mean": value, "sd": 0.05}


def lead(low, high):
    alone = [(3 * low + high) / 4, (low + 3 * high) / 4]  # narrower than corrected for the number
    ends = {"ci95": alone, "ci95_together": [low, high]}
    return {"mean": (low + high) / 2, "excludes_zero": low > 0 or high < 0} | ends


def method(name, f1, its_lead=None):
    metrics = dict.fromkeys(("f1", "balanced_accuracy", "precision", "recall"), cell(f1))
    sizes = {str(n): {"f1": f1 - 0.1 + n / 30, "auroc": None} for n in (1, 2, 3)}
    learned = name == "stacking"
    head = {"method": name, "learned": learned, "lead": its_lead, "by_size": sizes}
    return head | {"all_views": metrics | {"auroc": None}}


def summary(
    winner="stacking", clear=True, f1=(0.7, 0.72, 0.8), leads=((-0.02, 0.06), (0.02, 0.18))
):
    methods = [method(NAMES[0], f1[0])]
    ends = [lead(*pair) if pair else None for pair in leads]
    methods += [method(n, v, e) for n, v, e in zip(NAMES[1:], f1[1:], ends, strict=True)]
    place = {"task": "binary", "approach": "spatial", "baseline": "majority-vote"}
    people = {"n_training_subjects": 16, "n_training_ballots": 16}
    return place | people | {"methods": methods, "winner": winner, "winner_is_clear": clear}


def document(evil="", **options):
    rows = [
        {"task": "binary", "approach": "spatial", "method": name, "views": views}
        | {"n_subjects": 4, "n_splits": 1, "n_predictions": 4, "f1": cell(0.5 + i / 10)}
        for i, name in enumerate(NAMES)
        for views in SUBSETS
    ]
    why = f"there are no training patients to learn from{evil}"
    skipped = [
        {"task": "binary", "approach": "spatial", "method": f"{m}{evil}", "reason": why}
        for m in ("attention", "other")
    ]
    head = {"schema": 1, "synthetic": True, "rows": rows, "skipped": skipped}
    return head | {"summary": [summary(**options)]}


@pytest.fixture
def fused(small, kit):
    """A run whose folder holds a comparison of voting rules."""
    kit.dump(small / "fusion.json", document())
    return small


def said(**options):
    return " ".join(verdict(summary(**options)))


def test_the_page_shows_every_rule_and_every_subset(fused, kit):
    page = kit.Page(build_run_report(fused))
    assert all(name.replace("-", " ") in page.text for name in NAMES)
    assert "PLAX + A4C" in page.text
    (table,) = fusion_view(read_results(fused)).tables
    assert len(table.subsets) == 6
    assert all(sentence in page.text for sentence in (*table.verdict, *table.notes))
    fitted, left_out = table.notes
    assert "Stacking" in fitted
    assert "16 patients" in fitted
    assert all(word in left_out for word in ("attention", "other", "no training patients"))
    assert "4 held-out patients in 1 split" in page.text
    assert {"href": "#fusion"} in page.all("a")
    assert page.tags.count("table") == page.tags.count("caption")
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in page.all("svg"))


def test_a_run_that_compared_nothing_has_no_such_section(small, kit):
    page = kit.Page(build_run_report(small))
    assert "fusion" not in page.ids
    assert page.data("file") == []


def test_a_clear_lead_is_called_so_with_its_interval():
    words = said()
    assert words.startswith("Stacking is clearly ahead of the majority vote")
    assert re.findall(r"[+−]?\d\.\d+", words) == ["0.80", "0.70", "+0.10", "+0.02", "+0.18"]


def test_a_lead_whose_interval_holds_0_is_called_no_lead():
    words = said(clear=False, leads=((-0.02, 0.06), (-0.01, 0.18)))
    assert words.startswith("No rule is clearly ahead: stacking")
    assert re.findall(r"[+−]\d\.\d+", words) == ["−0.01", "+0.18"]
    assert "is clearly ahead of" not in words


def test_a_smaller_but_surer_lead_is_named_beside_the_highest_figure():
    words = said(clear=False, leads=((0.01, 0.03), (-0.01, 0.18)))
    assert words.startswith("The highest figure is not the clear one: stacking")
    assert words.endswith("Clearly ahead of the majority vote: mean probability (+0.02).")


def test_the_papers_rule_may_be_the_best():
    low = {"winner": "majority-vote", "f1": (0.8, 0.7, 0.6)}
    words = said(**low, clear=False, leads=((-0.2, 0.01), (-0.3, -0.1)))
    assert words.startswith("No rule is ahead of the majority vote (F1-score 0.80 on all views).")
    assert words.endswith("Clearly behind the majority vote: stacking (−0.20).")
    words = said(**low, clear=True, leads=((-0.2, -0.01), (-0.3, -0.1)))
    assert words.startswith("Every other rule is clearly behind the majority vote")


def test_without_intervals_no_lead_is_judged():
    words = said(clear=False, leads=(None, None))
    assert words.startswith("Stacking has the highest figure")
    assert "clearly" not in words


def test_leads_that_are_not_corrected_for_the_number_of_rules_are_not_judged():
    found = summary()
    for one in found["methods"][1:]:
        del one["lead"]["ci95_together"]
    words = " ".join(verdict(found))
    assert "clearly" not in words.lower()
    assert [one.clear for one in winners([found])] == ["not tested"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("stacking", "+0.10", "+0.02 to +0.18", "yes")),
        ({"clear": False, "leads": ((0, 0), (-0.02, 0.18))},
         ("stacking", "+0.08", "−0.02 to +0.18", "no")),
        ({"winner": "majority-vote"}, ("majority vote", "–", "–", "yes, from every other rule")),
        ({"leads": (None, None)}, ("stacking", "–", "–", "not tested")),
    ],
)  # fmt: skip
def test_one_table_says_which_wins(fused, kit, options, expected):
    kit.dump(fused / "fusion.json", document(**options))
    (one,) = fusion_view(read_results(fused)).winners
    assert (one.rule, one.difference, one.interval, one.clear) == expected
    text = kit.Page(build_run_report(fused)).text
    assert f"binary spatial {expected[0]} {one.f1}" in text


def test_the_best_of_each_column_is_marked_as_printed(fused):
    (table,) = fusion_view(read_results(fused)).tables
    assert [line.all_views[0].best for line in table.lines] == [False, False, True]
    assert [cell.value for cell in table.lines[2].all_views] == ["0.80 ± 0.05"] * 2 + ["–"]
    assert not any(line.all_views[2].best for line in table.lines)
    assert [[c.best for c in line.cells] for line in table.subsets] == [[False, False, True]] * 6


def test_a_small_lead_keeps_its_sign_and_a_digit(fused, kit):
    kit.dump(fused / "fusion.json", document(leads=((-0.001, 0.005), (0.0, 0.0))))
    (table,) = fusion_view(read_results(fused)).tables
    assert [(line.difference, line.interval) for line in table.lines] == [
        ("–", ""),
        ("+0.002", "−0.001 to +0.01"),
        ("0.00", "0.00 to 0.00"),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        "[]",
        json.dumps({"rows": []}),
        json.dumps(document() | {"rows": [{"task": "binary"}]}),
        json.dumps(
            document() | {"summary": [{"task": "binary", "approach": "x", "methods": [{}]}]}
        ),
    ],
)
def test_a_broken_file_is_named_and_the_page_is_written(fused, kit, broken):
    (fused / "fusion.json").write_text(broken)
    page = kit.Page(build_run_report(fused))
    assert page.data("file") == ["fusion.json"]
    assert "fusion" not in page.ids


def test_a_run_that_should_compare_and_did_not_says_so(small, kit):
    with (small / "recipe.toml").open("a") as file:
        file.write('[fusion.majority-vote]\nuse = "majority-vote"\n')
    assert kit.Page(build_run_report(small)).data("file") == ["fusion.json"]


def test_a_strangers_words_are_words(fused, kit):
    kit.dump(fused / "fusion.json", document(kit.HOSTILE))
    page = kit.Page(build_run_report(fused))
    assert "script" not in page.tags
    assert re.search(r"attention\S*script", page.text)
