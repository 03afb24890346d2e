"""Distances against SciPy and scikit-learn, ranks against their expectation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from echokit.novelty.distance import fit_normal, fit_scale, left_out_distances, rank_threshold


def cloud(n=60, d=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(3, 2, (n, d)) @ rng.normal(0, 1, (d, d))


def test_it_is_the_mahalanobis_distance_with_a_shrunk_covariance():
    rows = cloud()
    normal = fit_normal(rows)
    standard = (rows - normal.centre) / normal.spread
    oracle = LedoitWolf().fit(standard)
    shrunk = oracle.covariance_.copy()
    np.fill_diagonal(shrunk, np.maximum(np.diag(shrunk), 1))
    for row, distance in zip(standard, normal.distance(rows), strict=True):
        expected = mahalanobis(row, oracle.location_, np.linalg.inv(shrunk)) / np.sqrt(5)
        assert distance == pytest.approx(expected)


def test_a_number_that_is_unknown_lies_at_the_median_and_one_that_never_was_known_counts_nothing():
    rows = cloud()
    rows[::3, 1] = np.nan
    rows[:, 4] = np.nan
    normal = fit_normal(rows)
    asked = cloud(4, seed=1)
    unknown, at_the_median = asked.copy(), asked.copy()
    unknown[:, 1], at_the_median[:, 1] = np.nan, normal.centre[1]
    np.testing.assert_allclose(normal.distance(unknown), normal.distance(at_the_median))
    moved = asked.copy()
    moved[:, 4] += 1000
    np.testing.assert_array_equal(normal.distance(moved), normal.distance(asked))


def test_a_floor_keeps_numbers_that_never_vary_from_deciding():
    rows = np.column_stack([cloud(60, 2), np.full(60, 25.0)])
    asked = rows[:1] + np.array([0, 0, 1.0])
    floor = np.array([0.01, 0.01, 10.0])
    usual = fit_normal(rows, floor).distance(rows[:1])
    assert fit_normal(rows, floor).distance(asked) == pytest.approx(usual, rel=0.1)
    assert fit_normal(rows).distance(asked)[0] > 10 * usual[0]


def test_a_clip_is_left_out_of_what_its_distance_is_measured_from():
    rows = cloud(20, 3)
    rows[7] += 40
    folds = [np.array([fold]) for fold in range(20)]
    distances = left_out_distances(rows, folds)
    alone = fit_normal(np.delete(rows, 7, axis=0)).distance(rows[[7]])
    assert distances[7] == pytest.approx(alone[0])
    assert distances[7] > fit_normal(rows).distance(rows[[7]])[0]


def test_a_scale_counts_spreads_of_the_logarithm():
    distances = np.exp(np.random.default_rng(0).normal(1.0, 0.3, 4000))
    scale = fit_scale(distances)
    assert scale(np.exp([1.0, 1.6])) == pytest.approx([0, 2], abs=0.1)


@pytest.mark.parametrize(("n", "beyond"), [(19, 0), (49, 0), (80, 1), (144, 2), (999, 19)])
def test_the_expected_share_beyond_the_threshold_is_the_nearest_to_the_level(n, beyond):
    scores = np.random.default_rng(n).permutation(n).astype(float)
    threshold, expected = rank_threshold(scores, 0.02)
    assert (scores > threshold).sum() == beyond
    assert expected == pytest.approx((beyond + 1) / (n + 1))
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(4000, n + 1))
    exceeded = [row[-1] > rank_threshold(row[:-1], 0.02)[0] for row in drawn]
    assert np.mean(exceeded) == pytest.approx(expected, abs=0.015)
