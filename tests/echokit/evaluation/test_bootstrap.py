"""Intervals: patients are resampled; test_metrics.py compares whole rows with scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from echokit.evaluation.bootstrap import resample, weighted_metrics
from echokit.evaluation.metric_names import METRICS


def sure(truth):
    """A confidence of 1 for every row."""
    return np.ones(len(truth))


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
