"""Metrics: scikit-learn's, over held-out subjects, with how sure they are."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.preprocessing import label_binarize

from echokit.evaluation.bootstrap import resample
from echokit.evaluation.metric_names import METRICS
from echokit.evaluation.metrics import evaluate, scores
from echokit.voting.table import PredictionTable

CLASSES = {"severity": ("none", "mild", "severe"), "binary": ("none", "PH")}


@st.composite
def cases(draw):
    """Truth with absent classes, predictions, and probabilities full of ties."""
    classes, n = draw(st.integers(2, 4)), draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    truth, predicted = rng.integers(0, draw(st.integers(1, classes)), (2, n))
    raw = rng.integers(0, 4, (n, classes)) + np.eye(classes)[predicted]
    return truth, predicted, raw / raw.sum(1, keepdims=True)


def pairwise(truth, probabilities, classes):
    """One-vs-one AUROC from scikit-learn's binary curve areas, pair by pair."""
    total = mass = 0.0
    for a in range(classes):
        for b in range(a + 1, classes):
            pair = np.isin(truth, [a, b])
            areas = [
                metrics.auc(*metrics.roc_curve(truth[pair] == c, probabilities[pair, c])[:2])
                for c in (a, b)
            ]
            total, mass = total + np.mean(areas) * pair.sum(), mass + pair.sum()
    return total / mass


@settings(deadline=None, max_examples=60)
@given(cases())
def test_every_metric_is_scikit_learns(case):
    truth, predicted, probabilities = case
    classes = probabilities.shape[1]
    ours = scores(truth, predicted, probabilities)
    averaged = {"average": "weighted", "zero_division": 0}
    assert ours["f1"] == pytest.approx(metrics.f1_score(truth, predicted, **averaged))
    assert ours["recall"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    precision = metrics.precision_score(truth, predicted, **averaged)
    assert ours["precision"] == pytest.approx(precision)
    present = np.unique(truth)
    hits = label_binarize(predicted, classes=range(classes + 1))
    recalls = [hits[truth == c, c].mean() for c in present]
    assert ours["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    if len(present) < classes:
        assert ours["auroc"] is None
    else:
        assert ours["auroc"] == pytest.approx(pairwise(truth, probabilities, classes))


def test_auroc_is_none_where_a_class_has_no_subject_and_the_rest_is_there():
    got = scores(np.array([0, 0, 1]), np.array([0, 0, 1]), np.full((3, 3), 1 / 3))
    assert got["auroc"] is None
    assert got["f1"] == got["balanced_accuracy"] == 1.0


def rows(patients=12, splits=2, task="severity", level="view", view="A4C", clips=1, seed=0):
    rng = np.random.default_rng(seed)
    names = CLASSES[task]
    for split in range(splits):
        for patient in range(patients):
            for clip in range(clips):
                probabilities = rng.dirichlet(np.ones(len(names)))
                yield {
                    "level": level,
                    "task": task,
                    "approach": "spatio-temporal",
                    "split": split,
                    "patient": f"p{patient}",
                    "view": view,
                    "clip": f"c{patient}-{clip}",
                    "label": names[patient % len(names)],
                    "predicted": names[int(probabilities.argmax())],
                    "confidence": float(probabilities.max()),
                    "probabilities": probabilities.tolist(),
                }


def of_split(table, split):
    here = table[table["split"] == split]
    index = CLASSES["severity"].index
    return (
        here["label"].map(index).to_numpy(),
        here["predicted"].map(index).to_numpy(),
        np.stack(here["probabilities"].tolist()),
    )


def test_a_row_is_the_mean_and_sample_sd_of_its_splits():
    table = pd.DataFrame(rows(splits=3))
    [row] = evaluate(PredictionTable(table), CLASSES, 0, 0)
    each = [scores(*of_split(table, split)) for split in range(3)]
    for name in METRICS:
        values = [one[name] for one in each]
        assert row[name]["mean"] == pytest.approx(np.mean(values))
        assert row[name]["sd"] == pytest.approx(np.std(values, ddof=1))
        assert row[name]["ci95"] is None
    assert (row["n_splits"], row["n_subjects"], row["n_predictions"]) == (3, 12, 36)


def test_one_split_has_no_sd():
    [row] = evaluate(PredictionTable(pd.DataFrame(rows(splits=1))), CLASSES, 10, 0)
    assert row["f1"]["sd"] is None
    assert len(row["f1"]["ci95"]) == 2


def test_there_is_a_row_for_each_task_approach_and_view_but_sequences_are_not_judged():
    table = pd.DataFrame(
        [
            *rows(),
            *rows(view="PLAX"),
            *rows(level="subject", view="MV-2"),
            *rows(task="binary"),
            *rows(level="sequence", view="PSAX-P"),
        ]
    )
    got = [(r["task"], r["views"]) for r in evaluate(PredictionTable(table), CLASSES, 0, 0)]
    views = [("severity", view) for view in ("A4C", "PLAX", "MV-2")]
    assert sorted(got) == sorted([*views, ("binary", "A4C")])


def test_subjects_are_counted_once_however_many_clips_and_splits_they_have():
    [row] = evaluate(
        PredictionTable(pd.DataFrame(rows(patients=9, splits=4, clips=3))), CLASSES, 0, 0
    )
    assert (row["n_subjects"], row["n_predictions"]) == (9, 108)


def test_the_bootstrap_draws_patients_with_all_their_rows():
    patients = np.array(["a", "a", "b", "c", "c", "c"])
    draws = resample(patients, 500, 0)
    assert draws.shape == (500, 6)
    for one in draws:
        assert one[0] == one[1]
        assert one[3] == one[4] == one[5]
        assert one[0] + one[2] + one[3] == 3, "as many patients as there are"
    assert draws[:, [0, 2, 3]].mean(0) == pytest.approx([1, 1, 1], abs=0.15)
    assert (draws == resample(patients, 500, 0)).all()


def test_copies_of_a_patients_clips_do_not_make_the_interval_narrower():
    one = pd.DataFrame(rows(patients=20, splits=1))
    copies = pd.concat([one.assign(clip=one["clip"] + f" again {n}") for n in range(10)])
    (a,), (b,) = (evaluate(PredictionTable(table), CLASSES, 300, 0) for table in (one, copies))
    for name in METRICS:
        assert b[name]["ci95"] == pytest.approx(a[name]["ci95"], abs=1e-12)


def test_the_interval_holds_the_mean_and_repeats_with_its_seed():
    table = pd.DataFrame(rows(patients=30))
    (a,), (b,), (c,) = (evaluate(PredictionTable(table), CLASSES, 200, seed) for seed in (0, 0, 1))
    for name in METRICS:
        low, high = a[name]["ci95"]
        assert low < a[name]["mean"] < high
    assert a == b
    assert a["f1"]["ci95"] != c["f1"]["ci95"]


def test_confidence_is_given_for_right_and_wrong_apart_and_none_where_there_are_none():
    table = pd.DataFrame(rows(splits=1))
    right = table["label"] == table["predicted"]
    [row] = evaluate(PredictionTable(table), CLASSES, 0, 0)
    assert row["confidence"]["mean"] == pytest.approx(table["confidence"].mean())
    assert row["confidence_correct"]["mean"] == pytest.approx(table["confidence"][right].mean())
    assert row["confidence_wrong"]["mean"] == pytest.approx(table["confidence"][~right].mean())
    [row] = evaluate(PredictionTable(table[right]), CLASSES, 9, 0)
    assert row["confidence_wrong"] is None


def test_confidences_have_intervals_over_resampled_patients():
    table = pd.DataFrame(rows(splits=2, patients=25))
    [row] = evaluate(PredictionTable(table), CLASSES, 80, 3)
    right = (table["label"] == table["predicted"]).to_numpy()
    draws = resample(table["patient"].to_numpy(str), 80, 3)
    for name, these in {
        "confidence": np.ones(len(table), bool),
        "confidence_correct": right,
        "confidence_wrong": ~right,
    }.items():
        means = []
        for draw in draws:
            of_splits = []
            for split in (0, 1):
                here = these & (table["split"] == split).to_numpy()
                again = np.repeat(table["confidence"].to_numpy()[here], draw[here])
                of_splits += [again.mean()] if len(again) else []
            means += [np.mean(of_splits)] if of_splits else []
        assert row[name]["ci95"] == pytest.approx(np.quantile(means, [0.025, 0.975])), name


def test_the_rows_are_json_without_nan():
    table = pd.DataFrame(rows(patients=2, splits=1))
    json.dumps(evaluate(PredictionTable(table), CLASSES, 20, 0), allow_nan=False)
