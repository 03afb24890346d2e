import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from echokit import UsageError
from echokit.report import summary_table
from echokit.report.judged import confusion, curves, judged
from echokit.report.results import read_results
from echokit.report.sections.figures import task_figures
from echokit.report.terminal import how_it_was_made
from echokit.report.words import (
    DISCLAIMER,
    SYNTHETIC,
    duration,
    guess_f1,
    lies_in,
    listing,
    memory,
    sureness,
)


def test_confusion_and_curves_agree_with_scikit_learn(run, kit):
    from sklearn.metrics import confusion_matrix, roc_auc_score

    predictions = read_results(run).predictions
    for task, classes in kit.CLASSES.items():
        groups = list(judged(predictions, task, classes))
        assert len(groups) == 2 * 7
        for group in groups:
            expected = confusion_matrix(group.truth, group.predicted, labels=range(len(classes)))
            np.testing.assert_array_equal(confusion(group), expected)
            for curve in curves(group):
                i = classes.index(curve.label)
                area = roc_auc_score(group.truth == i, group.probabilities[:, i])
                assert np.trapezoid(curve.tpr, curve.fpr) == pytest.approx(area)
                assert curve.area == pytest.approx(area)


def test_the_headline_is_the_best_view_set_and_bold_the_best_figure(run, kit):
    results = read_results(run)
    task = task_figures(results, "severity")
    rows = [row for row in results.rows if row["task"] == "severity"]
    best = max((r for r in rows if r["views"] in kit.SETS), key=lambda r: r["f1"]["mean"])
    assert task.best == f"{best['views']}, {best['approach']}"
    assert task.tiles[0].value.startswith(f"{best['f1']['mean']:.2f}")
    lines = [line for approach in task.approaches for line in approach.lines]
    bold = {line.cells[4].value[:4] for line in lines if line.cells[4].best}
    assert bold == {f"{max(r['recall']['mean'] for r in rows):.2f}"}


def test_the_verdict_counts_what_was_right(run):
    results = read_results(run)
    task = task_figures(results, "severity")
    views, approach = task.best.split(", ")
    table = results.predictions
    here = (table["view"] == views) & (table["approach"] == approach)
    rows = table[here & (table["task"] == "severity")]
    right = (rows["label"] == rows["predicted"]).sum()
    assert f"{right} of {len(rows)} predictions" in task.verdict
    assert f"{right / len(rows) * 100:.0f} %" in task.verdict


def test_guessing_agrees_with_scikit_learn():
    from sklearn.metrics import f1_score

    truth = ["none"] * 13 + ["mild"] * 3 + ["severe"] * 4
    expected = f1_score(truth, ["none"] * 20, average="weighted", zero_division=0)
    assert guess_f1({"none": 13, "mild": 3, "severe": 4}) == pytest.approx(expected)


def test_saliency_is_weighed_against_its_share():
    def figures(name, energy, area):
        return re.findall(r"[\d.]+", lies_in(name, {"energy": energy, "area": area}))

    assert figures("septum", 0.3, 0.1) == ["30", "10", "3.0"]
    assert figures("septum", 0.0, 0.0) == ["0", "0"]
    assert figures("sector", 1.0, 0.4) == ["100", "40", "2.5"]


def test_words():
    assert duration(0.01) == "< 0.1 s"
    assert [duration(s) for s in (0.44, 59.4, 200, 7500)] == [
        "0.4 s",
        "59 s",
        "3 min 20 s",
        "2 h 5 min",
    ]
    assert [memory(m) for m in (850, 1400, None)] == ["850 MB", "1.4 GB", "–"]
    assert [listing(x) for x in ([], ["a"], ["a", "b"], "abc")] == [
        "none",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [sureness(c) for c in (1.0, 0.8, 0.7, 0.4)] == [
        "very consistent",
        "consistent",
        "divided",
        "strongly divided",
    ]


def test_summary_table_for_the_terminal(run, tmp_path):
    console = Console(width=80, file=io.StringIO())
    console.print(summary_table(run))
    text = console.file.getvalue()
    row = next(r for r in read_results(run).rows if r["views"] == "MV-All")
    assert f"{row['f1']['mean']:.2f}±{row['f1']['sd']:.2f}" in text
    assert "…" not in text
    assert re.search(rf"MV-All.* {row['n_subjects']}\s*$", text, re.MULTILINE)
    words = " ".join(text.split())
    assert SYNTHETIC in words
    assert DISCLAIMER in words
    with pytest.raises(UsageError, match="has no figures"):
        summary_table(tmp_path)


def test_the_table_says_how_patients_were_held_out_and_what_was_dropped():
    base = read_results(Path("nowhere"))
    dropped = {"severity": {"grade 0.5 is dropped by the task's map": 3}, "binary": {}}
    repeated = {"method": "repeated", "n": 10, "held_out": 0.2}
    run = {"cohort": {"dropped": dropped}, "splits": repeated}
    assert how_it_was_made(replace(base, run=run)) == [
        "10 repeated stratified splits by patient, 20 % held out",
        "Left out of severity: 3 × grade 0.5 is dropped by the task's map",
    ]
    folds = {"splits": {"method": "k-fold", "n": 5, "held_out": 0.2}}
    assert how_it_was_made(replace(base, run=folds)) == ["5-fold cross-validation by patient"]
