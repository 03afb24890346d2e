"""The drop from cross-validation to another cohort, with an interval of both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from echokit.evaluation.external import external_differences
from echokit.evaluation.metrics import evaluate
from echokit.voting.table import PredictionTable

CLASSES = {"severity": ("none", "severe")}


def predictions(patients, share_right, splits=2, seed=0, name="p"):
    rng = np.random.default_rng(seed)
    rows = []
    for split in range(splits):
        for n in range(patients):
            truth = n % 2
            predicted = truth if rng.random() < share_right else 1 - truth
            p = 0.5 + (0.2 + 0.2 * rng.random()) * (1 if predicted else -1)
            rows.append(
                {
                    "level": "subject", "task": "severity", "approach": "a", "split": split,
                    "view": "MV", "patient": f"{name}{n}", "clip": "",
                    "label": CLASSES["severity"][truth],
                    "predicted": CLASSES["severity"][predicted],
                    "confidence": 0.8, "probabilities": [1 - p, p],
                }
            )  # fmt: skip
    return PredictionTable(pd.DataFrame(rows))


def test_the_difference_is_that_of_the_two_tables_and_its_interval_of_both():
    inside, outside = predictions(40, 0.9), predictions(60, 0.6, seed=1, name="q")
    (row,) = external_differences(inside, outside, CLASSES, 300, 4)
    rows = [evaluate(table, CLASSES, 0, 0)[0] for table in (inside, outside)]
    for metric in ("f1", "balanced_accuracy", "auroc"):
        expected = rows[1][metric]["mean"] - rows[0][metric]["mean"]
        assert row[metric]["mean"] == pytest.approx(expected)
        low, high = row[metric]["ci95"]
        assert low < row[metric]["mean"] < high < 0
    assert (row["n_subjects"], row["n_external"]) == (40, 60)
    width = np.ptp(row["f1"]["ci95"])
    alone = [np.ptp(evaluate(t, CLASSES, 300, 4)[0]["f1"]["ci95"]) for t in (inside, outside)]
    assert max(alone) < width < sum(alone)
    assert width == pytest.approx(np.hypot(*alone), rel=0.25), "variances of two cohorts add up"


def test_both_cohorts_are_drawn_apart():
    """Patients of one place in both tables must not be drawn together."""
    table = predictions(40, 0.7)
    other = PredictionTable(table.frame.assign(patient=lambda f: "q" + f["patient"].str[1:]))
    (row,) = external_differences(table, other, CLASSES, 200, 4)
    assert row["f1"]["mean"] == 0
    assert np.ptp(row["f1"]["ci95"]) > 0.05


def test_without_resampling_there_is_no_interval_and_an_undefined_figure_is_none():
    outside = predictions(6, 1.0, name="q")
    only = PredictionTable(outside.frame[outside.frame["label"] == "none"])
    (row,) = external_differences(predictions(20, 0.9), only, CLASSES, 0, 0)
    assert row["auroc"] is None
    assert row["f1"]["ci95"] is None
    ours = predictions(20, 0.9).frame
    per_split = [
        f1_score(g["label"], g["predicted"], average="weighted") for _, g in ours.groupby("split")
    ]
    assert row["f1"]["mean"] == pytest.approx(1 - np.mean(per_split))


def test_a_view_without_cross_validation_has_no_difference():
    inside = predictions(10, 0.9)
    other = PredictionTable(predictions(10, 0.9, name="q").frame.assign(view="A4C"))
    assert external_differences(inside, other, CLASSES, 5, 0) == []
