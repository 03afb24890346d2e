"""Calibration against scikit-learn, hand-made cases and what must hold for any probabilities."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from echokit import DataError
from echokit.evaluation.calibration import (
    apply_temperature,
    brier,
    error_by_chance,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    selective,
    top_label,
)


def drawn(rng, n=400, k=3, spread=2.0):
    """Probabilities, and truths that are drawn with exactly these."""
    p = softmax(rng.normal(0, spread, (n, k)), axis=1)
    truth = (rng.random(n)[:, None] > p.cumsum(1)).sum(1).clip(max=k - 1)
    return p, truth


@pytest.fixture
def rng():
    return np.random.default_rng(7)


some_probabilities = st.integers(2, 4).flatmap(
    lambda k: arrays(
        np.float64, st.tuples(st.integers(1, 30), st.just(k)), elements=st.floats(0, 1)
    )
)


def test_bins_are_those_of_scikit_learn(rng):
    confidence, right = top_label(*drawn(rng))
    confidence[:11] = np.linspace(0, 1, 11)  # the edges themselves
    accuracy, stated = calibration_curve(right, confidence, n_bins=10)
    bins = reliability(confidence, right)
    np.testing.assert_allclose([one.accuracy for one in bins], accuracy)
    np.testing.assert_allclose([one.confidence for one in bins], stated)
    assert sum(one.n for one in bins) == len(right)


def test_the_error_is_the_mean_gap_of_the_bins():
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    right = np.array([True, False, True, False])
    assert expected_calibration_error(confidence, right) == pytest.approx((0.45 + 0.05) / 2)
    assert expected_calibration_error(np.ones(3), np.array([True] * 3)) == 0
    assert expected_calibration_error(np.ones(3), np.array([False] * 3)) == 1


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_the_error_lies_between_0_and_1(rows):
    confidence, right = (np.array(column) for column in zip(*rows, strict=True))
    assert 0 <= expected_calibration_error(confidence.astype(float), right) <= 1


def test_honest_probabilities_err_as_much_as_chance_makes_them(rng):
    errors, chances = [], []
    for _ in range(60):
        confidence, right = top_label(*drawn(rng, n=40))
        errors.append(expected_calibration_error(confidence, right))
        chances.append(error_by_chance(confidence, rng))
    assert np.mean(errors) == pytest.approx(np.mean(chances), abs=0.02)
    assert np.mean(chances) > 0.05  # so that an error is nothing without it
    confidence, right = top_label(*drawn(rng, n=50_000))
    assert expected_calibration_error(confidence, right) < 0.02


def test_brier_and_likelihood_are_those_of_scikit_learn(rng):
    p, truth = drawn(rng)
    labels = range(3)
    whole = brier_score_loss(truth, p, labels=labels, scale_by_half=False)
    assert brier(p, truth) == pytest.approx(whole)
    assert negative_log_likelihood(p, truth) == pytest.approx(log_loss(truth, p, labels=labels))


def test_for_two_labels_brier_is_twice_that_of_scikit_learn(rng):
    p, truth = drawn(rng, k=2)
    assert brier(p, truth) == pytest.approx(2 * brier_score_loss(truth, p[:, 1]))


@pytest.mark.parametrize("factor", [3.0, 0.5, 1.0])
def test_logits_that_are_too_large_by_a_factor_have_it_as_their_temperature(rng, factor):
    p, truth = drawn(rng, n=20_000)
    overdone = softmax(factor * np.log(p), axis=1)
    temperature = fit_temperature(overdone, truth)
    assert temperature == pytest.approx(factor, rel=0.05)
    softened = apply_temperature(overdone, temperature)
    assert expected_calibration_error(*top_label(softened, truth)) < 0.02
    if factor != 1:
        assert brier(softened, truth) < brier(overdone, truth)
        assert negative_log_likelihood(softened, truth) < negative_log_likelihood(overdone, truth)


def test_the_temperature_is_the_best_of_a_fine_grid(rng):
    p, truth = drawn(rng, n=60)
    overdone = softmax(2.2 * np.log(p), axis=1)
    grid = np.geomspace(0.05, 20, 2000)
    losses = [negative_log_likelihood(apply_temperature(overdone, t), truth) for t in grid]
    assert fit_temperature(overdone, truth) == pytest.approx(grid[np.argmin(losses)], rel=0.01)


@given(some_probabilities, st.floats(0.05, 20))
def test_a_temperature_never_changes_the_most_probable_label(values, temperature):
    assume((values.sum(1) > 0).all())
    p = values / values.sum(1, keepdims=True)
    warm = apply_temperature(p, temperature)
    assert np.isfinite(warm).all()
    np.testing.assert_allclose(warm.sum(1), 1)
    top = p.argmax(1)[:, None]
    np.testing.assert_allclose(np.take_along_axis(warm, top, 1)[:, 0], warm.max(1))


@settings(deadline=None)
@given(some_probabilities, st.integers(0, 2**32 - 1))
def test_any_probabilities_have_a_temperature_within_its_bounds(values, seed):
    assume((values.sum(1) > 0).all())
    p = values / values.sum(1, keepdims=True)
    truth = np.random.default_rng(seed).integers(0, p.shape[1], len(p))
    assert 0.05 <= fit_temperature(p, truth) <= 20


def test_a_probability_of_0_is_survived_by_all():
    p, truth = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])
    assert fit_temperature(p, truth) == pytest.approx(20, rel=1e-3)  # as soft as it may get
    assert np.isfinite(negative_log_likelihood(p, truth))
    np.testing.assert_allclose(apply_temperature(p, 1.0), p, atol=1e-12)


def test_nothing_to_fit_or_to_judge_is_refused():
    with pytest.raises(DataError, match="without predictions"):
        fit_temperature(np.empty((0, 3)), np.empty(0, int))
    with pytest.raises(DataError, match="without predictions"):
        selective(np.empty(0), np.empty(0, bool))


def area_by_hand(confidence, right):
    """The mean area over every order that confidence allows."""
    areas = [
        np.mean(
            [np.mean([not right[i] for i in order[:kept]]) for kept in range(1, len(order) + 1)]
        )
        for order in permutations(range(len(right)))
        if all(confidence[a] >= confidence[b] for a, b in pairwise(order))
    ]
    return np.mean(areas)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.4, 0.6, 0.9]), st.booleans()), min_size=1, max_size=6))
def test_the_area_is_the_mean_over_all_orders_of_equally_confident_ones(rows):
    confidence, right = (np.array(column) for column in zip(*rows, strict=True))
    assert selective(confidence, right).aurc == pytest.approx(area_by_hand(confidence, right))


def test_a_constant_confidence_has_the_error_rate_as_its_area(rng):
    right = rng.random(50) < 0.7
    curve = selective(np.full(50, 0.8), right)
    assert curve.aurc == pytest.approx(curve.error) == pytest.approx(1 - right.mean())
    assert curve.coverage.tolist() == [1.0]


def test_no_order_has_a_smaller_area_than_the_one_that_puts_errors_last(rng):
    right = rng.random(40) < 0.7
    best = selective(right.astype(float), right).aurc
    assert all(best <= selective(rng.random(40), right).aurc for _ in range(200))
    assert best < 1 - right.mean() < selective(1.0 - right, right).aurc


def test_equally_confident_predictions_are_kept_or_left_together():
    confidence = np.array([0.9, 0.7, 0.7, 0.7, 0.5])
    curve = selective(confidence, np.array([True, True, False, True, False]))
    np.testing.assert_allclose(curve.coverage, [0.2, 0.8, 1.0])
    np.testing.assert_allclose(curve.accuracy, [1.0, 0.75, 0.6])
    assert curve.at(0.8) == pytest.approx(0.75)
    assert curve.at(0.9) == pytest.approx(0.6)
    assert curve.at(0.1) == pytest.approx(1.0)
