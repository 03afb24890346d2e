"""Metrics: scikit-learn's, over held-out subjects, with how sure they are."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from echokit.evaluation.bootstrap import resample
from echokit.evaluation.metric_names import METRICS
from echokit.evaluation.metrics import evaluate, scores
from echokit.voting.table import PredictionTable

CLASSES = {"severity": ("none", "mild", "severe"), "binary": ("none", "PH")}
Scorer = Callable[[np.ndarray, np.ndarray, np.ndarray], float]
WEIGHTED = {"average": "weighted", "zero_division": 0}


def auroc(truth, predicted, probabilities):
    classes = probabilities.shape[1]
    if len(np.unique(truth)) < classes:
        return np.nan
    if classes == 2:
        return metrics.roc_auc_score(truth, probabilities[:, 1])
    return metrics.roc_auc_score(truth, probabilities, multi_class="ovo", average="weighted")


def balanced(truth, predicted, probabilities):
    with warnings.catch_warnings():  # of classes that are predicted and not there
        warnings.simplefilter("ignore", UserWarning)
        return metrics.balanced_accuracy_score(truth, predicted)


SCIKIT_LEARN: dict[str, Scorer] = {
    "auroc": auroc,
    "f1": lambda t, p, _: metrics.f1_score(t, p, **WEIGHTED),
    "precision": lambda t, p, _: metrics.precision_score(t, p, **WEIGHTED),
    "recall": lambda t, p, _: metrics.recall_score(t, p, **WEIGHTED),
    "balanced_accuracy": balanced,
}


@st.composite
def tables(draw, most_rows=24):
    """Predictions of 2 to 5 classes, some absent, in quarters or thirds so that they tie."""
    k, splits = draw(st.integers(2, 5)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    present = rng.permutation(k)[: draw(st.integers(1, k))]
    names = tuple(f"grade {i}" for i in range(k))
    rows = []
    for split in range(splits):
        n = draw(st.integers(1, most_rows))
        steps = draw(st.sampled_from([2, 3, 4, 8]))
        truth = np.concatenate([present[:n], rng.choice(present, max(n - len(present), 0))])
        for i, true in enumerate(truth):
            probabilities = rng.multinomial(steps, np.full(k, 1 / k)) / steps
            rows.append(
                {
                    "level": "view",
                    "task": "severity",
                    "approach": "spatial",
                    "split": split,
                    "patient": f"p{rng.integers(n)}" if i % 3 == 0 else f"p{i}",
                    "view": "A4C",
                    "clip": f"c{i}",
                    "label": names[true],
                    "predicted": names[rng.integers(k)],
                    "confidence": float(rng.random()),
                    "probabilities": probabilities.tolist(),
                }
            )
    return pd.DataFrame(rows).sample(frac=1, random_state=0), {"severity": names}


def arrays(table, classes):
    index = classes["severity"].index
    return (
        table["label"].map(index).to_numpy(),
        table["predicted"].map(index).to_numpy(),
        np.stack(table["probabilities"].tolist()),
    )


def mean_over_splits(name, table, classes, repeats=None):
    """Each split's own value by scikit-learn, of rows repeated as often as a resample drew them."""
    values, repeats = [], np.ones(len(table), int) if repeats is None else repeats
    for split in sorted(table["split"].unique()):
        here = (table["split"] == split).to_numpy()
        drawn = table[here].iloc[np.repeat(np.arange(here.sum()), repeats[here])]
        values.append(SCIKIT_LEARN[name](*arrays(drawn, classes)) if len(drawn) else np.nan)
    return np.array(values)[~np.isnan(values)]


@settings(deadline=None, max_examples=25)
@given(tables())
def test_every_mean_and_sd_over_splits_is_that_of_scikit_learns_values(case):
    table, classes = case
    [row] = evaluate(PredictionTable(table), classes, 0, 0)
    assert set(SCIKIT_LEARN) == set(METRICS)
    for name in METRICS:
        values = mean_over_splits(name, table, classes)
        if not len(values):
            assert row[name] is None
            continue
        assert row[name]["mean"] == pytest.approx(values.mean(), abs=1e-12), name
        if len(values) == 1:
            assert row[name]["sd"] is None
        else:
            assert row[name]["sd"] == pytest.approx(values.std(ddof=1), abs=1e-12), name
    assert row["confidence"]["mean"] == pytest.approx(
        table.groupby("split")["confidence"].mean().mean()
    )


@pytest.mark.slow
@settings(deadline=None, max_examples=8)
@given(tables(most_rows=12), st.integers(0, 2**32 - 1))
def test_bootstrap_intervals_are_those_of_a_slow_loop_over_scikit_learn(case, seed):
    table, classes = case
    [row] = evaluate(PredictionTable(table), classes, 12, seed)
    resamples = resample(table["patient"].to_numpy(str), 12, seed)
    for name in METRICS:
        means = [mean_over_splits(name, table, classes, repeats) for repeats in resamples]
        defined = [values.mean() for values in means if len(values)]
        if row[name] is None:
            assert not defined
        elif not defined or table["patient"].nunique() == 1:  # one patient has no spread
            assert row[name]["ci95"] is None
        else:
            expected = np.quantile(defined, [0.025, 0.975])
            assert row[name]["ci95"] == pytest.approx(expected, abs=1e-12), name


def test_a_perfect_and_a_blind_reader_score_one_and_chance():
    names = ("none", "mild", "severe")
    truth = np.arange(60) % 3
    base = pd.DataFrame(
        {
            "level": "view",
            "task": "severity",
            "approach": "spatial",
            "split": 0,
            "patient": [f"p{i}" for i in range(60)],
            "view": "A4C",
            "clip": "c",
            "label": [names[t] for t in truth],
            "confidence": 1.0,
        }
    )
    sure = base.assign(predicted=base["label"], probabilities=np.eye(3)[truth].tolist())
    blind = base.assign(predicted="none", probabilities=[[1 / 3] * 3] * 60)
    [best], [worst] = (
        evaluate(PredictionTable(t), {"severity": names}, 10, 0) for t in (sure, blind)
    )
    for name in METRICS:
        assert best[name] == {"mean": 1.0, "sd": None, "ci95": [1.0, 1.0]}
    assert worst["auroc"]["mean"] == 0.5
    assert worst["balanced_accuracy"]["mean"] == pytest.approx(1 / 3)
    assert worst["precision"]["mean"] == pytest.approx(1 / 9)


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
