"""Differences between voting rules: paired over patients, all rules at once."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from echokit.evaluation.rule_differences import (
    Outcome,
    differences_from,
    simultaneous_intervals,
    winner,
)


def outcome(truth, predicted, split, patient):
    p = np.eye(3)[np.array(predicted)]
    who = tuple(map(str, patient))
    return Outcome(np.array(split), who, np.array(truth), np.array(predicted), p)


def test_leads_are_those_of_a_slow_paired_bootstrap():
    rng = np.random.default_rng(0)
    patient, split = np.tile(np.arange(12), 2), np.repeat([0, 1], 12)
    truth = np.tile(rng.integers(0, 3, 12), 2)
    said = {name: np.where(rng.random(24) < p, truth, 0) for name, p in (("a", 0.9), ("b", 0.5))}
    outcomes = {name: outcome(truth, one, split, patient) for name, one in said.items()}
    ((name, lead),) = differences_from(outcomes, "b", 60, 7)
    names = np.unique(patient.astype(str))
    draws = np.random.default_rng(7).multinomial(12, np.full(12, 1 / 12), size=60)
    differences = []
    for draw in [np.ones(12, int), *draws]:
        weight = np.array([draw[names.tolist().index(str(p))] for p in patient])
        f1 = {
            who: np.mean(
                [
                    f1_score(
                        truth[split == s],
                        one[split == s],
                        sample_weight=weight[split == s],
                        average="weighted",
                        zero_division=0,
                    )
                    for s in (0, 1)
                ]
            )
            for who, one in said.items()
        }
        differences.append(f1["a"] - f1["b"])
    assert name == "a"
    assert lead["mean"] == pytest.approx(differences[0])
    assert lead["ci95"] == pytest.approx(np.quantile(differences[1:], [0.025, 0.975]))
    sd = np.std(differences[1:])
    away = np.abs(np.array(differences[1:]) - differences[0]) / sd
    half = np.quantile(away, 0.95) * sd
    assert lead["ci95_together"] == pytest.approx([differences[0] - half, differences[0] + half])
    assert lead["excludes_zero"] == (lead["ci95_together"][0] > 0)


def test_intervals_of_many_rules_hold_all_true_leads_together():
    """Six rules that lead by nothing: apart, one in four families calls some rule clear."""
    rng = np.random.default_rng(0)
    clear = {"apart": 0, "together": 0}
    for _ in range(400):
        found = rng.normal(0, 1, 6)
        drawn = found[:, None] + rng.normal(0, 1, (6, 300))
        above = {str(i): np.array([found[i], *drawn[i]]) for i in range(6)}
        apart = [np.quantile(one[1:], [0.025, 0.975]) for one in above.values()]
        clear["apart"] += any(low > 0 or high < 0 for low, high in apart)
        clear["together"] += any(
            low > 0 or high < 0 for low, high in simultaneous_intervals(above).values()
        )
    assert clear["apart"] / 400 > 0.2
    assert 0.02 < clear["together"] / 400 < 0.08


def test_a_rule_that_differs_by_itself_may_not_differ_among_many():
    rng = np.random.default_rng(1)
    sure = 2.2 + np.array([0, *rng.normal(0, 1, 2000)])
    many = {str(i): np.array([0.0, *rng.normal(0, 1, 2000)]) for i in range(5)}
    assert simultaneous_intervals({"x": sure})["x"][0] > 0
    assert simultaneous_intervals({"x": sure} | many)["x"][0] < 0


@pytest.mark.parametrize(
    ("f1", "ends", "expected"),
    [
        ({"majority-vote": 0.5, "x": 0.6}, [0.01, 0.2], ("x", True)),
        ({"majority-vote": 0.5, "x": 0.6}, [-0.01, 0.2], ("x", False)),
        ({"majority-vote": 0.5, "x": 0.6}, None, ("x", False)),
        ({"majority-vote": 0.6, "x": 0.5}, [-0.2, -0.01], ("majority-vote", True)),
        ({"majority-vote": 0.6, "x": 0.5}, [-0.2, 0.01], ("majority-vote", False)),
        ({"majority-vote": 0.6, "x": 0.5}, None, ("majority-vote", False)),
    ],
)
def test_a_lead_is_clear_where_its_interval_leaves_zero_out(f1, ends, expected):
    lead = {"x": {"ci95": [0.1, 0.2], "ci95_together": ends}}  # the interval by itself has no say
    assert winner(f1, lead, "majority-vote") == expected
