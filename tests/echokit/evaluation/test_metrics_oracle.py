"""Whole rows of metrics equal scikit-learn's, whatever is tied, absent or repeated."""

from __future__ import annotations

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
from echokit.evaluation.metrics import evaluate
from echokit.voting.table import PredictionTable

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


@settings(deadline=None, max_examples=4)
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
        elif not defined:
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
