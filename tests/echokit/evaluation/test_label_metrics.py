"""Metrics at a label, weighted kappa and patients by label, against scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from echokit.evaluation.bootstrap import resample
from echokit.evaluation.label_metrics import (
    confusion_of_patients,
    key,
    label_courses,
    label_scores,
    positives,
)
from echokit.evaluation.metrics import evaluate
from echokit.voting.table import PredictionTable


@st.composite
def pairs(draw):
    """True and predicted labels of 2 to 4 classes, some absent."""
    k = draw(st.integers(2, 4))
    labels = st.lists(st.integers(0, k - 1), min_size=1, max_size=14)
    truth = draw(labels)
    predicted = draw(st.lists(st.integers(0, k - 1), min_size=len(truth), max_size=len(truth)))
    return np.array(truth), np.array(predicted), k


def oracle(truth, predicted, k):
    """The same by recall and precision of either side, NaN where nothing is counted."""
    expected = {}
    for label in range(k) if k > 2 else [1]:
        is_true, is_predicted = truth == label, predicted == label
        options = {"zero_division": np.nan}
        expected[key("sensitivity", label)] = metrics.recall_score(is_true, is_predicted, **options)
        expected[key("specificity", label)] = metrics.recall_score(
            ~is_true, ~is_predicted, **options
        )
        expected[key("ppv", label)] = metrics.precision_score(is_true, is_predicted, **options)
        expected[key("npv", label)] = metrics.precision_score(~is_true, ~is_predicted, **options)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore")
        expected["kappa"] = metrics.cohen_kappa_score(
            truth, predicted, weights="quadratic", labels=range(k)
        )
    return expected


def values(scored):
    return {name: np.nan if value is None else value for name, value in scored.items()}


@settings(deadline=None, max_examples=150)
@given(pairs())
def test_the_scores_are_those_of_scikit_learn(case):
    assert values(label_scores(*case)) == pytest.approx(oracle(*case), nan_ok=True)


@settings(deadline=None, max_examples=60)
@given(pairs(), st.integers(0, 2**32 - 1))
def test_every_resample_has_the_scores_of_the_rows_repeated(case, seed):
    truth, predicted, k = case
    weights = np.random.default_rng(seed).integers(0, 3, (4, len(truth)))
    weights[:, 0] += weights.sum(1) == 0
    got = label_courses(truth, predicted, weights, k)
    for draw, repeats in enumerate(weights):
        expected = oracle(np.repeat(truth, repeats), np.repeat(predicted, repeats), k)
        assert {n: course[draw] for n, course in got.items()} == pytest.approx(
            expected, nan_ok=True
        )


def test_a_label_alone_has_no_specificity_and_a_label_that_is_never_predicted_no_ppv():
    scored = label_scores(np.array([0, 0]), np.array([0, 0]), 2)
    assert scored == {key("sensitivity", 1): None, key("specificity", 1): 1.0} | {
        key("ppv", 1): None,
        key("npv", 1): 1.0,
        "kappa": None,
    }
    assert [*positives(2)] == [1]
    assert [*positives(3)] == [0, 1, 2]


def test_a_far_confusion_costs_kappa_more_than_a_near_one():
    truth = np.array([0, 0, 1, 1, 2, 2])
    near, far = truth.copy(), truth.copy()
    near[0], far[0] = 1, 2
    near, far = (label_scores(truth, p, 3)["kappa"] for p in (near, far))
    assert 1 > near > far


def test_a_patient_counts_once_however_many_predictions_there_are():
    patients = np.array(["a", "a", "a", "a", "b", "c"])
    truth, predicted = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 1, 1, 1, 0])
    table = confusion_of_patients(patients, truth, predicted, 2)
    assert table == [[0.25, 0.75], [1, 1]]
    once = confusion_of_patients(np.array([*"abcdef"]), truth, predicted, 2)
    assert once == metrics.confusion_matrix(truth, predicted).tolist()


CLASSES = {"severity": ("none", "mild", "severe"), "binary": ("none", "PH")}


def predictions(task, splits=2, patients=30):
    rng = np.random.default_rng(7)
    classes = CLASSES[task]
    rows = [
        {
            "level": "subject", "task": task, "approach": "a", "split": split, "view": "MV",
            "patient": f"p{n}", "clip": "", "label": classes[n % len(classes)],
            "predicted": classes[n % len(classes) if rng.random() < 0.6 else 0], "confidence": 0.9,
            "probabilities": rng.dirichlet(np.ones(len(classes))).tolist(),
        }
        for split in range(splits)
        for n in range(patients)
    ]  # fmt: skip
    return PredictionTable(pd.DataFrame(rows))


def test_a_row_holds_the_mean_over_splits_and_percentiles_over_resampled_patients():
    table = predictions("severity")
    (row,) = evaluate(table, CLASSES, bootstrap=40, seed=5)
    names = CLASSES["severity"]
    truth, predicted, split = table.truth(names), table.predicted(names), table.split
    weights = resample(table.patients, 40, 5)
    for at, label in zip(row["by_label"], range(3), strict=True):
        assert at["label"] == names[label]
        means = []
        for counts in np.vstack([np.ones(len(truth), int), weights]):
            drawn = [np.repeat(np.flatnonzero(split == s), counts[split == s]) for s in (0, 1)]
            scored = [values(label_scores(truth[i], predicted[i], 3)) for i in drawn]
            means.append(np.nanmean([one[key("sensitivity", label)] for one in scored]))
        assert at["sensitivity"]["mean"] == pytest.approx(means[0])
        assert at["sensitivity"]["ci95"] == pytest.approx(np.quantile(means[1:], [0.025, 0.975]))
    assert np.sum(row["confusion"]) == pytest.approx(30)
    assert row["kappa"]["ci95"][0] < row["kappa"]["mean"] < row["kappa"]["ci95"][1]


def test_a_binary_task_has_figures_at_its_positive_label_alone_and_views_have_no_kappa():
    (row,) = evaluate(predictions("binary"), CLASSES, 0, 0)
    assert [at["label"] for at in row["by_label"]] == ["PH"]
    assert row["by_label"][0]["sensitivity"]["ci95"] is None
    (unordered,) = evaluate(predictions("severity"), CLASSES, 0, 0, unordered=("severity",))
    assert unordered["kappa"] is None
