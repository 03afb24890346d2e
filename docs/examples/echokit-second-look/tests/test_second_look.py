"""Both components keep their contracts."""

import numpy as np
from echokit import resolve
from echokit.testing import AggregatorContract, ExplainerContract, tiny_votes
from scipy.stats import trim_mean


class TestTrimmedMean(AggregatorContract):
    component = "trimmed-mean"


class TestSmoothGradient(ExplainerContract):
    component = "smooth-gradient"
    options = {"samples": 3}


def test_it_is_scipys_trimmed_mean():
    votes = tiny_votes([0, 1, 2, 2, 1, 0, 0, 2, 1, 1])
    expected = trim_mean(votes.probabilities, 0.2)
    found = resolve("aggregator", "trimmed-mean")(votes).probabilities
    np.testing.assert_allclose(found, expected / expected.sum())
