"""Approaches held against each other on the same clips of the same patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from echokit.evaluation.approach_differences import paired
from echokit.voting.table import PredictionTable

CLASSES = {"severity": ("none", "mild", "severe")}
VIEWS = ("PLAX", "A4C", "MV-All")


def table(skill, patients=30, splits=2, seed=0):
    """Predictions of some approaches, each right with its own probability, else `none`."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(CLASSES["severity"], patients)
    rows = [
        {
            "level": "subject" if view in ("MV-All",) else "view",
            "task": "severity", "approach": approach, "split": split, "view": view,
            "patient": f"p{i}", "clip": "" if view == "MV-All" else f"p{i}-{view}",
            "label": truth[i], "predicted": truth[i] if rng.random() < right else "none",
        }
        for approach, right in skill.items()
        for split in range(splits)
        for view in VIEWS
        for i in range(patients)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def score(metric, rows):
    own = {"f1": {"average": "weighted", "zero_division": 0}}.get(metric.__name__[:2], {})
    return np.mean(
        [metric(some["label"], some["predicted"], **own) for _, some in rows.groupby("split")]
    )


def test_every_view_and_their_mean_are_compared_by_scikit_learns_figures():
    predictions = table({"a": 0.9, "b": 0.4})
    found = paired(PredictionTable(predictions), CLASSES, 0, 0)
    assert [one["views"] for one in found] == [["PLAX"], ["A4C"], ["MV-All"], list(VIEWS)]
    for name, metric in (("f1", f1_score), ("balanced_accuracy", balanced_accuracy_score)):
        apart = []
        for one in found[:3]:
            of_view = predictions[predictions["view"] == one["views"][0]]
            a, b = (score(metric, of_view[of_view["approach"] == x]) for x in ("a", "b"))
            assert one[name] == {"mean": pytest.approx(a - b), "ci95": None}
            apart.append(a - b)
        assert found[3][name]["mean"] == pytest.approx(np.mean(apart))
    assert {tuple(one["approaches"]) for one in found} == {("a", "b")}
    assert {one["n_subjects"] for one in found} == {30}


def test_the_interval_is_that_of_patients_drawn_for_both_at_once():
    predictions = table({"a": 0.8, "b": 0.6}, patients=14)
    [plax, *_] = paired(PredictionTable(predictions), CLASSES, 40, 5)
    names = np.unique(predictions["patient"].astype(str))
    draws = np.random.default_rng(5).multinomial(14, np.full(14, 1 / 14), size=40)
    own = predictions[predictions["view"] == "PLAX"]
    differences = []
    for draw in draws:
        times = own["patient"].map(dict(zip(names, draw, strict=True)))
        again = own.loc[own.index.repeat(times)]
        a, b = (score(f1_score, again[again["approach"] == x]) for x in ("a", "b"))
        differences.append(a - b)
    assert plax["f1"]["ci95"] == pytest.approx(np.quantile(differences, [0.025, 0.975]))


def test_approaches_that_say_the_same_differ_by_nothing_whatever_the_patients():
    one = table({"a": 0.6})
    both = pd.concat([one, one.assign(approach="b")])
    for row in paired(PredictionTable(both), CLASSES, 50, 0):
        assert row["f1"] == {"mean": 0.0, "ci95": [0.0, 0.0]}


def test_what_only_one_approach_judged_is_not_compared():
    predictions = table({"a": 0.9, "b": 0.4})
    lacking = (predictions["approach"] == "b") & (
        (predictions["patient"] == "p3") | (predictions["view"] == "A4C")
    )
    found = paired(PredictionTable(predictions[~lacking]), CLASSES, 10, 0)
    assert [one["views"] for one in found] == [["PLAX"], ["MV-All"], ["PLAX", "MV-All"]]
    assert {one["n_subjects"] for one in found} == {29}
    assert (
        paired(PredictionTable(predictions[predictions["approach"] == "a"]), CLASSES, 10, 0) == []
    )
