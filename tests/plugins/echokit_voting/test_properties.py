"""Invariants of every registered voting rule, by hypothesis."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echokit import SupportsFit, Votes
from echokit.plugins.registry import registry

VIEWS = ("PLAX", "A4C", "PSAX-P", "PSAX-S", "PSAX-A")
LABELS = {2: ("none", "PH"), 3: ("none", "mild", "moderate-severe")}
EVERY = pytest.mark.parametrize("name", [c.name for c in registry().of_kind("aggregator")])


def votes(classes, views, rows, confidences=None, labels=None) -> Votes:
    probabilities = np.array(rows, np.float64).reshape(len(views), len(classes))
    return Votes(
        classes=classes,
        voters=tuple(views),
        labels=probabilities.argmax(1) if labels is None else np.array(labels, np.int64),
        probabilities=probabilities,
        confidences=None if confidences is None else np.array(confidences, np.float64),
    )


@cache
def rule(name: str, k: int):
    """The rule, fitted on patients whose views are mostly right if it learns."""
    made = registry().find("aggregator", name).factory()
    if isinstance(made, SupportsFit):
        rng = np.random.default_rng(0)
        truth = np.arange(60) % k
        patients = []
        for label in truth:
            views = [view for view in VIEWS if rng.random() < 0.7] or ["A4C"]
            logits = rng.normal(0, 1, (len(views), k))
            logits[:, label] += 2
            odds = np.exp(logits)
            rows = odds / odds.sum(1, keepdims=True)
            patients.append(votes(LABELS[k], views, rows, rng.uniform(0.5, 1, len(views))))
        made.fit(patients, [LABELS[k][label] for label in truth])
    return made


@st.composite
def any_votes(draw, unknown=False):
    """Votes of any subset of views, several clips of some, with few distinct values: ties."""
    k = draw(st.sampled_from([2, 3]))
    names = (*VIEWS, "A2C") if unknown else VIEWS
    views = draw(st.lists(st.sampled_from(names), min_size=1, max_size=6))
    n = len(views)
    rows = [draw(st.lists(st.integers(0, 3), min_size=k, max_size=k)) for _ in range(n)]
    rows = [[w / sum(row) for w in row] if sum(row) else [1 / k] * k for row in rows]
    labels = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    confidence = st.sampled_from([0.1, 0.3, 0.7, 1.0]) | st.floats(1e-6, 1.0)
    confidences = draw(st.none() | st.lists(confidence, min_size=n, max_size=n))
    return votes(LABELS[k], views, rows, confidences, labels)


def reordered(v: Votes, order) -> Votes:
    return Votes(
        classes=v.classes,
        voters=tuple(v.voters[i] for i in order),
        labels=v.labels[order],
        probabilities=v.probabilities[order],
        confidences=None if v.confidences is None else v.confidences[order],
    )


@EVERY
@given(v=any_votes(), random=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=25)
def test_the_order_of_voters_never_matters(name, v, random):
    order = list(range(len(v.voters)))
    random.shuffle(order)
    vote = rule(name, len(v.classes))
    outcome, other = vote(v), vote(reordered(v, order))
    assert (outcome.label, outcome.confidence) == (other.label, other.confidence)
    assert np.array_equal(outcome.probabilities, other.probabilities)


@EVERY
@given(v=any_votes(unknown=True))
@settings(deadline=None, max_examples=25)
def test_any_views_there_are_give_a_label_a_confidence_and_probabilities(name, v):
    outcome = rule(name, len(v.classes))(v)
    assert outcome.label in v.classes
    assert 0 < outcome.confidence <= 1
    assert outcome.probabilities.shape == (len(v.classes),)
    assert outcome.probabilities.dtype == np.float64
    assert ((outcome.probabilities >= 0) & (outcome.probabilities <= 1)).all()
    assert outcome.probabilities.sum() == pytest.approx(1)


@EVERY
@pytest.mark.parametrize("k", [2, 3])
@given(view=st.sampled_from(VIEWS), data=st.data())
@settings(deadline=None, max_examples=25)
def test_one_voter_decides(name, k, view, data):
    label, sure = data.draw(st.integers(0, k - 1)), data.draw(st.floats(0.85, 1.0))
    row = np.full(k, (1 - sure) / (k - 1))
    row[label] = sure
    outcome = rule(name, k)(votes(LABELS[k], [view], [row], [data.draw(st.floats(0.5, 1.0))]))
    assert outcome.label == LABELS[k][label]


@EVERY
@given(v=any_votes())
@settings(deadline=None, max_examples=20)
def test_the_given_votes_stay_as_they_were(name, v):
    kept = replace(v, labels=v.labels.copy(), probabilities=v.probabilities.copy())
    rule(name, len(v.classes))(v)
    assert np.array_equal(v.labels, kept.labels)
    assert np.array_equal(v.probabilities, kept.probabilities)


@given(v=any_votes())
@settings(deadline=None)
def test_a_tie_of_the_majority_is_won_from_within(v):
    counts = Counter(v.labels.tolist())
    tied = {v.classes[label] for label, n in counts.items() if n == max(counts.values())}
    assert rule("majority-vote", len(v.classes))(v).label in tied


@given(v=any_votes())
@settings(deadline=None)
def test_a_mixture_stays_between_its_voters(v):
    """Pooled probabilities are weighted means, also where the weights are learned."""
    low, high = v.probabilities.min(0) - 1e-12, v.probabilities.max(0) + 1e-12
    for name in ("mean-probability", "confidence-weighted", "attention", "max-confidence"):
        pooled = rule(name, len(v.classes))(v).probabilities
        assert ((low <= pooled) & (pooled <= high)).all(), name
