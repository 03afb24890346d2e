"""Voting rules beyond the majority: by example, against scikit-learn and SciPy."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.linear_model import LogisticRegression

from echokit import DataError, OptionError, SupportsFit, Votes, resolve
from echokit.plugins.registry import registry
from echokit_voting.attentive import _loss
from echokit_voting.stacked import features
from echokit_voting.training import SUBSETS, examples, kept_voters, ordered_ballot

SEVERITY = ("none", "mild", "moderate-severe")
BINARY = ("none", "PH")
NAMES = [c.name for c in registry().of_kind("aggregator")]
LEARNED = ("attention", "stacking")
OTHERS = [name for name in NAMES if name not in LEARNED]


def votes(rows, confidences=None, voters=None, classes=SEVERITY, labels=None) -> Votes:
    probabilities = np.array(rows, np.float64).reshape(len(rows), len(classes))
    return Votes(
        classes=classes,
        voters=tuple(voters or (f"view {i}" for i in range(len(rows)))),
        labels=probabilities.argmax(1) if labels is None else np.array(labels),
        probabilities=probabilities,
        confidences=None if confidences is None else np.array(confidences, np.float64),
    )


def patients(skill, n=80, classes=SEVERITY, seed=0, missing=0.0):
    """Votes of views that know the truth as well as `skill` says; below 0 they mislead."""
    rng, k = np.random.default_rng(seed), len(classes)
    given, labels = [], []
    for i in range(n):
        views = [view for view in skill if rng.random() >= missing] or [next(iter(skill))]
        logits = rng.normal(0, 1, (len(views), k))
        logits[:, i % k] += [skill[view] for view in views]
        odds = np.exp(logits)
        rows = odds / odds.sum(1, keepdims=True)
        given.append(votes(rows, rows.max(1), views, classes))
        labels.append(classes[i % k])
    return given, labels


def fitted(name, given, labels, **options):
    rule = resolve("aggregator", name, **options)
    rule.fit(given, labels)
    return rule


def right(rule, given, labels):
    return np.mean([rule(v).label == label for v, label in zip(given, labels, strict=True)])


def likelihood(rule, given, labels):
    p = [rule(v).probabilities[v.classes.index(y)] for v, y in zip(given, labels, strict=True)]
    return np.log(p).mean()


P = [[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.1, 0.3, 0.6]]


def test_the_mean_probability_is_numpys():
    outcome = resolve("aggregator", "mean-probability")(votes(P, [0.9, 0.1, 0.1]))
    np.testing.assert_allclose(outcome.probabilities, np.mean(P, axis=0), rtol=1e-15)
    assert (outcome.label, outcome.confidence) == ("moderate-severe", pytest.approx(1.1 / 3))


def test_confidences_weigh_probabilities_as_numpys_average_does():
    rule, weights = resolve("aggregator", "confidence-weighted"), [0.9, 0.2, 0.4]
    expected = np.average(P, axis=0, weights=weights)
    outcome = rule(votes(P, weights))
    np.testing.assert_allclose(outcome.probabilities, expected, rtol=1e-15)
    assert outcome.label == "none"
    without = np.average(P, axis=0, weights=np.max(P, axis=1))
    np.testing.assert_allclose(rule(votes(P)).probabilities, without, rtol=1e-15)


def test_the_surest_voter_speaks_alone():
    rule = resolve("aggregator", "max-confidence")
    outcome = rule(votes(P, [0.5, 0.8, 0.6]))
    assert (outcome.label, outcome.confidence) == ("mild", 0.8)
    assert outcome.probabilities.tolist() == P[1]
    assert rule(votes(P)).label == "none"
    assert rule(votes(P)).confidence == 0.7


def test_of_equally_sure_voters_the_one_surer_of_its_label_speaks_then_the_more_severe():
    rule = resolve("aggregator", "max-confidence")
    assert rule(votes(P, [0.5, 0.5, 0.5])).label == "none"
    mirrored = [[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]]
    assert rule(votes(mirrored, [0.5, 0.5])).label == "moderate-severe"


@pytest.mark.parametrize("name", ["mean-probability", "confidence-weighted"])
def test_a_tie_of_pooled_probabilities_goes_to_more_voters_then_to_the_more_severe(name):
    rule = resolve("aggregator", name)
    rows = [[0.75, 0.25], [0.25, 0.75]]
    assert rule(votes(rows, [0.5, 0.5], classes=BINARY)).label == "PH"
    rows = [[1, 0], [0.25, 0.75], [0.25, 0.75]]
    outcome = rule(votes(rows, [0.5] * 3, classes=BINARY))
    assert outcome.probabilities.tolist() == [0.5, 0.5]
    assert outcome.label == "PH"
    assert rule(votes(rows, [0.5] * 3, classes=BINARY, labels=[0, 0, 0])).label == "none"


def test_the_most_probable_label_may_be_nobodys_choice():
    rows = [[0.5, 0.45, 0.05], [0.05, 0.45, 0.5]]
    assert resolve("aggregator", "mean-probability")(votes(rows)).label == "mild"
    assert resolve("aggregator", "majority-vote")(votes(rows)).label != "mild"


@pytest.mark.parametrize("name", LEARNED)
def test_a_rule_that_learns_says_how_before_it_has(name):
    rule = resolve("aggregator", name)
    assert isinstance(rule, SupportsFit)
    with pytest.raises(DataError, match=r"has not learned yet.*crossfit\.folds=2"):
        rule(votes(P))


@pytest.mark.parametrize("name", OTHERS)
def test_a_rule_that_learns_nothing_is_not_asked_to(name):
    assert not isinstance(resolve("aggregator", name), SupportsFit)


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("classes", [SEVERITY, BINARY], ids=["three labels", "two"])
def test_a_view_that_knows_nothing_is_learned_to_be_ignored(name, classes):
    skill = {"A4C": 2.0, "PLAX": 0.0, "PSAX-P": 0.0, "PSAX-S": 0.0}
    rule = fitted(name, *patients(skill, 150, classes))
    new = patients(skill, 300, classes, seed=1)
    mean = resolve("aggregator", "mean-probability")
    assert right(rule, *new) > right(mean, *new)
    assert likelihood(rule, *new) > likelihood(mean, *new)


def test_stacking_believes_the_opposite_of_a_view_that_misleads():
    skill = {"A4C": -3.0, "PLAX": 0.2}
    given, labels = patients(skill, 150, BINARY)
    new = patients(skill, 200, BINARY, seed=1)
    assert right(resolve("aggregator", "mean-probability"), *new) < 0.2
    assert right(fitted("stacking", given, labels), *new) > 0.9


@pytest.mark.parametrize("name", LEARNED)
def test_every_subset_of_views_is_judged_as_one_that_was_learned_from(name):
    skill = {"A4C": 2.5, "PLAX": 1.5, "PSAX-P": 1.5}
    rule = fitted(name, *patients(skill, 120, missing=0.4))
    for kept in product([True, False], repeat=3):
        if any(kept):
            present = {view: s for (view, s), keep in zip(skill.items(), kept, strict=True) if keep}
            assert right(rule, *patients(present, 120, seed=2)) > 0.6, present


@pytest.mark.parametrize("classes", [SEVERITY, BINARY], ids=["three labels", "two"])
def test_stacking_is_scikit_learns_regression(classes):
    given, labels = patients({"A4C": 1.0, "PLAX": 0.5}, 30, classes, missing=0.3)
    rule = fitted("stacking", given, labels, l2=0.5)
    k, seen = len(classes), examples(given, labels)
    sure = [
        votes([row] * 2, None, seen.names, classes)
        for row in np.eye(k) * (0.9 - 0.1 / (k - 1)) + 0.1 / (k - 1)
    ]
    ballots = [*seen.ballots, *map(ordered_ballot, sure)]
    model = LogisticRegression(C=2, max_iter=5000).fit(
        [features(ballot, seen.names) for ballot in ballots],
        [*seen.truth, *range(k)],
        sample_weight=[*seen.weights, *[1] * k],
    )
    for ballot in given:
        expected = model.predict_proba([features(ordered_ballot(ballot), seen.names)])[0]
        np.testing.assert_allclose(rule(ballot).probabilities, expected, rtol=1e-9)


def test_the_slope_of_attentions_loss_is_scipys():
    loss = _loss(examples(*patients({"A4C": 1.0, "PLAX": 0.0, "PSAX-P": 2.0}, 12)), 0.7)
    for theta in np.random.default_rng(0).normal(0, 1, (5, 5)):
        expected = approx_fprime(theta, lambda t: loss(t)[0], 1e-7)
        np.testing.assert_allclose(loss(theta)[1], expected, rtol=1e-4, atol=1e-5)


def test_attention_with_nothing_learned_is_the_mean():
    given, labels = patients({"A4C": 1.0, "PLAX": 0.5}, 20)
    rule, mean = (
        fitted("attention", given, labels, l2=1e9),
        resolve("aggregator", "mean-probability"),
    )
    for subject in given:
        np.testing.assert_allclose(
            rule(subject).probabilities, mean(subject).probabilities, atol=1e-6
        )


def test_an_unknown_view_has_the_attention_of_the_mean_view():
    given, labels = patients({"A4C": 2.0, "PLAX": 0.0, "PSAX-P": 1.0}, 60)
    rule = fitted("attention", given, labels)
    assert sum(rule.biases.values()) == pytest.approx(0, abs=1e-3)
    assert rule.biases["A4C"] > rule.biases["PSAX-P"] > rule.biases["PLAX"]


@pytest.mark.parametrize("name", LEARNED)
def test_an_unknown_view_is_heard(name):
    rule = fitted(name, *patients({"A4C": 2.0, "PLAX": 2.0}))
    for label, row in zip(SEVERITY, np.eye(3) * 0.9 + 0.1 / 3, strict=True):
        assert rule(votes([row], [0.9], ["A2C"])).label == label


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("present", [["none"], ["none", "moderate-severe"]])
def test_a_label_without_a_training_patient_can_still_be_predicted(name, present):
    given, labels = patients({"A4C": 3.0, "PLAX": 3.0})
    pairs = [(v, y) for v, y in zip(given, labels, strict=True) if y in present]
    rule = fitted(name, [v for v, _ in pairs], [y for _, y in pairs])
    sure = votes([[0.001, 0.998, 0.001]] * 2, [1.0, 1.0], ["A4C", "PLAX"])
    other = votes([[0.998, 0.001, 0.001]] * 2, [1.0, 1.0], ["A4C", "PLAX"])
    assert (rule(sure).probabilities > 0).all()
    assert rule(sure).probabilities[1] > rule(other).probabilities[1]


@pytest.mark.parametrize("name", LEARNED)
def test_the_order_of_patients_and_clips_teaches_the_same(name):
    given, labels = patients({"A4C": 1.0, "PLAX": 0.5, "PSAX-P": 0.2}, 30)
    turned = [
        replace(
            v,
            voters=v.voters[::-1],
            labels=v.labels[::-1],
            probabilities=v.probabilities[::-1],
            confidences=v.confidences[::-1],
        )
        for v in given
    ]
    rule, other = fitted(name, given, labels), fitted(name, turned[::-1], labels[::-1])
    for v in given:
        np.testing.assert_allclose(rule(v).probabilities, other(v).probabilities, atol=1e-4)


@pytest.mark.parametrize("name", LEARNED)
def test_learning_twice_is_learning_the_second_time(name):
    first, second = patients({"A4C": 2.0}), patients({"A4C": -2.0, "PLAX": 2.0}, seed=3)
    rule = fitted(name, *first)
    rule.fit(*second)
    once = fitted(name, *second)
    v = second[0][0]
    assert np.array_equal(rule(v).probabilities, once(v).probabilities)


@pytest.mark.parametrize("name", LEARNED)
def test_another_task_than_the_one_learned_is_refused(name):
    rule = fitted(name, *patients({"A4C": 1.0}))
    with pytest.raises(DataError, match="fit one for each task"):
        rule(votes([[0.5, 0.5]], classes=BINARY))


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize(
    ("given", "labels", "words"),
    [
        ([], [], "at least one patient"),
        ([votes(P)], ["none", "mild"], "1 votes and 2 labels"),
        ([votes(P)], ["severe"], "the label 'severe'"),
        ([votes(P), votes([[0.5, 0.5]], classes=BINARY)], ["none", "none"], "one task at a time"),
        ([votes(P, [0.0, 0.5, 0.5])], ["none"], "confidences outside"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(name, given, labels, words):
    with pytest.raises(DataError, match=words):
        resolve("aggregator", name).fit(given, labels)


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("l2", [0, -1, float("nan"), float("inf"), "much"])
def test_a_senseless_penalty_is_refused(name, l2):
    with pytest.raises(OptionError):
        resolve("aggregator", name, l2=l2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (votes(np.empty((0, 3))), "no voters"),
        (votes([[0.2, 0.2, 0.2]]), "sum to 0.6"),
        (votes([[np.nan, 0.5, 0.5]], labels=[1]), "probabilities outside"),
        (votes(P, [0.5, 0.0, 0.5]), "confidences outside"),
        (votes(P, labels=[0, 1, 3]), "0 to 2"),
    ],
)
def test_votes_that_cannot_be_counted_are_refused(name, broken, words):
    rule = resolve("aggregator", name)
    if isinstance(rule, SupportsFit):
        rule.fit(*patients({"A4C": 1.0}, 6))
    with pytest.raises(DataError, match=words):
        rule(broken)


def test_all_subsets_of_five_views_stand_for_a_patient_with_all_clips_of_a_view_together():
    ways = kept_voters(["A", "B", "B", "C", "D", "E"])
    assert ways.shape == (31, 6)
    assert ways[0].all()
    assert len({tuple(way) for way in ways.tolist()}) == 31
    assert (ways[:, 1] == ways[:, 2]).all()
    assert ways.any(1).all()


def test_of_many_voters_some_subsets_stand_for_a_patient_always_the_same():
    ways = kept_voters([str(i) for i in range(10)])
    assert ways.shape == (SUBSETS, 10)
    assert ways[0].all()
    assert ways.any(1).all()
    assert (ways == kept_voters([str(i) for i in range(10)])).all()


def test_each_patient_weighs_one_however_many_views_it_has():
    seen = examples(*patients({"A4C": 1.0, "PLAX": 1.0, "PSAX-P": 1.0}, 20, missing=0.5))
    assert seen.weights.sum() == pytest.approx(20)
    assert len(seen.ballots) > 20
