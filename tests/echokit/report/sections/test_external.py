"""The external test cohort on the page and in the terminal, beside cross-validation."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from echokit.evaluation.external import external_differences
from echokit.evaluation.metrics import evaluate
from echokit.report import build_run_report, external_table
from echokit.report.results import read_results
from echokit.report.sections.external import external_view
from echokit.report.sections.labels import label_view
from echokit.report.words import interval, mean_sd, number, signed
from echokit.voting.table import PredictionTable

FOLLOW_UP = """
[published]
source = "a paper"
columns = ["f1"]
[published.rows.binary.spatial]
MV-All = [[0.9, 0.01]]
[published.follow_up]
source = "the same authors"
metric = "f1"
tasks.binary = { cross_validation = 0.92, held_out = 0.78 }
"""
CLASSES = {"binary": ("none", "PH")}


@pytest.fixture
def external(small, kit):
    """A run with an external test cohort, half of whose predictions are drawn anew."""
    inside = PredictionTable.read(small / "predictions.parquet")
    rng = np.random.default_rng(0)
    frame = inside.frame.copy()
    drawn = rng.random(len(frame)) < 0.5
    frame.loc[drawn, "predicted"] = rng.choice(CLASSES["binary"], drawn.sum())
    frame["patient"] = "x" + frame["patient"]
    outside = PredictionTable(pd.DataFrame(frame))
    document = {
        "schema": 1,
        "synthetic": True,
        "cohort": {"patients": 4, "clips": 20, "rejected": 3},
        "rows": evaluate(outside, CLASSES, 50, 0),
        "differences": external_differences(inside, outside, CLASSES, 50, 0),
        "notes": [f"A note {kit.HOSTILE}."],
    }
    kit.dump(small / "external.json", document)
    kit.dump(
        small / "metrics.json",
        {"schema": 1, "synthetic": True, "rows": evaluate(inside, CLASSES, 50, 0)},
    )
    with (small / "recipe.toml").open("a") as file:
        file.write(FOLLOW_UP)
    return small


def test_each_row_has_both_figures_and_their_difference(external):
    document = json.loads((external / "external.json").read_text())
    results = read_results(external)
    inside = {row["views"]: row for row in results.rows}
    view = external_view(results)
    assert [line.views for line in view.lines] == [row["views"] for row in document["rows"]]
    both = zip(document["rows"], document["differences"], strict=True)
    for line, (row, change) in zip(view.lines, both, strict=True):
        cell = line.cells[0]
        assert cell.inside == number(inside[line.views]["f1"]["mean"])
        assert (cell.outside, cell.interval) == (number(row["f1"]["mean"]), interval(row["f1"]))
        assert cell.difference == signed(change["f1"]["mean"])
        assert cell.lower == (change["f1"]["ci95"][1] < 0)
        assert line.outside == row["n_subjects"]
    who, left_out = "4 patients, 20 clips of a synthetic cohort", "3 rejected"
    assert view.cohort == f"{who}; {left_out}, listed in external.csv"


def test_the_headline_is_the_view_set_that_was_best_in_cross_validation(external):
    view = external_view(read_results(external))
    sets = [line for line in view.lines if line.is_set]
    best = max(sets, key=lambda line: line.cells[0].inside)
    (sentence,) = view.sentences
    cell = best.cells[0]
    assert sentence.startswith(
        f"{best.views}: F1-score {cell.inside} in cross-validation, {cell.outside} (95 % interval"
    )
    assert f"{cell.difference} ({cell.difference_interval})" in sentence


def test_the_page_shows_them_and_how_far_the_authors_own_figure_fell(external, kit):
    page = kit.Page(build_run_report(external))
    view = external_view(read_results(external))
    said = re.sub(r"\s+", " ", page.inside("external"))
    assert view.sentences[0] in page.text
    assert "fell from 0.92 in cross-validation to 0.78 on held-out patients (binary)" in said
    assert all(line.cells[0].outside in said for line in view.lines)
    assert f"A note {kit.HOSTILE}" in page.text
    assert "external" in {link["href"][1:] for link in page.all("a")}
    assert page.tags.count("table") == page.tags.count("caption")


def test_figures_at_each_label_stand_on_the_page(external, kit):
    page = kit.Page(build_run_report(external))
    results = read_results(external)
    blocks = label_view(results.rows, "binary")
    row = results.rows[0]
    assert [block.views for block in blocks] == [r["views"] for r in results.rows]
    (line,) = blocks[0].lines
    assert line.label == "PH"
    assert line.cells[0] == (
        mean_sd(row["by_label"][0]["sensitivity"]), interval(row["by_label"][0]["sensitivity"])
    )  # fmt: skip
    assert f"weighted kappa {blocks[0].kappa}" in page.text
    said = " ".join(a.get("aria-label") or "" for a in page.all("svg"))
    assert f"{row['confusion'][0][0]:g} as none" in said


def test_the_terminal_shows_them(external):
    console = Console(file=io.StringIO(), width=80)
    console.print(external_table(external))
    said = console.file.getvalue()
    for line in external_view(read_results(external)).lines:
        assert f"{line.cells[0].inside} → {line.cells[0].outside}" in said
        assert f"{line.cells[1].difference} ({line.cells[1].difference_interval})" in said
    assert "0.92 in" in said


def test_a_run_without_one_and_an_old_run_have_neither(small, kit):
    assert external_view(read_results(small)) is None
    assert external_table(small) is None
    page = kit.Page(build_run_report(small))
    assert "external" not in page.ids
    assert label_view(read_results(small).rows, "binary") == ()
    assert "Weighted kappa" not in page.text


def test_a_missing_or_broken_file_is_named(small, kit):
    with (small / "recipe.toml").open("a") as file:
        file.write('[test]\nuse = "phantom"\n')
    assert "external.json" in kit.Page(build_run_report(small)).data("file")
    (small / "external.json").write_text('{"rows": []}')
    assert "external.json" in kit.Page(build_run_report(small)).data("file")


def test_negative_figures_have_a_minus_and_an_interval_that_can_be_read():
    assert number(-0.126) == "−0.13"
    assert number(-0.001) == "0.00"
    assert interval({"ci95": [-0.1, 0.2]}) == "−0.10 to 0.20"
    assert interval({"ci95": [0.1, 0.2]}) == "0.10–0.20"
