"""Intervals: weighted metrics are scikit-learn's on repeated rows; patients are resampled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from echokit.evaluation.bootstrap import confusion_metrics, pairwise_auroc, weighted_metrics
from echokit.evaluation.metric_names import METRICS
from echokit.evaluation.metrics import scores


def sure(truth):
    """A confidence of 1 for every row."""
    return np.ones(len(truth))


@st.composite
def cases(draw):
    """Truth, predictions, probabilities full of ties, and integer weights, some of them zero."""
    classes, n = draw(st.integers(2, 4)), draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    truth, predicted = rng.integers(0, draw(st.integers(1, classes)), (2, n))
    raw = rng.integers(0, 4, (n, classes)) + np.eye(classes)[predicted]
    return truth, predicted, raw / raw.sum(1, keepdims=True), rng.integers(0, 4, n)


@settings(deadline=None, max_examples=60)
@given(cases())
def test_a_weight_is_a_repetition_for_every_metric(case):
    truth, predicted, probabilities, weights = case
    classes = probabilities.shape[1]
    ours = confusion_metrics(truth, predicted, weights[None], classes)
    ours["auroc"] = pairwise_auroc(truth, probabilities, weights[None])
    again = np.repeat(np.arange(len(truth)), weights)
    if not len(again):
        assert all(np.isnan(value[0]) for value in ours.values())
        return
    expected = scores(truth[again], predicted[again], probabilities[again])
    assert set(ours) == set(expected) == set(METRICS)
    for name, value in expected.items():
        assert ours[name].shape == (1,)
        if value is None:
            assert np.isnan(ours[name][0])
        else:
            assert ours[name][0] == pytest.approx(value, abs=1e-12), name


def test_all_resamples_are_computed_as_one_by_one():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 3, (2, 30))
    probabilities = rng.dirichlet(np.ones(3), 30)
    weights = rng.integers(0, 3, (50, 30))
    together = confusion_metrics(truth, predicted, weights, 3)
    together["auroc"] = pairwise_auroc(truth, probabilities, weights)
    for i, one in enumerate(weights):
        alone = confusion_metrics(truth, predicted, one[None], 3)
        alone["auroc"] = pairwise_auroc(truth, probabilities, one[None])
        for name, value in alone.items():
            assert together[name][i] == pytest.approx(value[0], nan_ok=True)


def test_the_interval_is_of_the_mean_over_splits():
    rng = np.random.default_rng(1)
    truth, predicted = rng.integers(0, 2, (2, 40))
    probabilities = rng.dirichlet(np.ones(2), 40)
    split = np.repeat([0, 1], 20)
    weights = rng.multinomial(40, np.full(40, 1 / 40), 200)
    interval = weighted_metrics(truth, predicted, probabilities, sure(truth), split, weights)["f1"]
    means = []
    for one in weights:
        f1 = [
            metrics.f1_score(
                truth[split == s],
                predicted[split == s],
                sample_weight=one[split == s],
                average="weighted",
                zero_division=0,
            )
            for s in (0, 1)
        ]
        means.append(np.mean(f1))
    assert interval == pytest.approx(np.quantile(means, [0.025, 0.975]))


def test_a_split_without_the_drawn_patients_does_not_count():
    truth = predicted = np.array([0, 1, 0, 1])
    probabilities, split = np.eye(2)[truth], np.array([0, 0, 1, 1])
    weights = np.array([[1, 1, 0, 0], [0, 0, 2, 2]])
    got = weighted_metrics(truth, predicted, probabilities, sure(truth), split, weights)
    known = (*METRICS, "confidence", "confidence_correct")
    assert got == {name: [1.0, 1.0] for name in known} | {"confidence_wrong": None}


def test_what_no_resample_defines_has_no_interval():
    truth = predicted = np.zeros(4, int)
    probabilities = np.eye(2)[truth]
    got = weighted_metrics(
        truth, predicted, probabilities, sure(truth), truth, np.ones((5, 4), int)
    )
    assert got["auroc"] is None
    assert got["f1"] == [1.0, 1.0]
