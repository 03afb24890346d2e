"""Abstaining: which subjects are not judged, and what is said of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echokit import Prediction, Votes
from echokit.voting.abstain import NOT_JUDGED, REASONS, AbstentionRule

CLASSES = ("none", "mild", "severe")


def votes(*cast: tuple[str, str]) -> Votes:
    """Votes of (view, label)."""
    labels = np.array([CLASSES.index(label) for _, label in cast])
    views = tuple(view for view, _ in cast)
    return Votes(CLASSES, views, labels, np.eye(3)[labels], np.full(len(cast), 0.7))


def outcome(label: str, confidence: float = 0.7) -> Prediction:
    return Prediction(label, confidence, np.eye(3)[CLASSES.index(label)])


TWO = votes(("A4C", "mild"), ("PLAX", "none"))
THREE = votes(("A4C", "mild"), ("PLAX", "none"), ("PSAX-P", "mild"))


@pytest.mark.parametrize(
    ("rule", "given_votes", "confidence", "expected"),
    [
        (AbstentionRule(views=2), votes(("A4C", "mild")), 1.0, "only 1 of 2 views"),
        (AbstentionRule(views=2), votes(*[("A4C", "mild")] * 3), 1.0, "only 1 of 2 views"),
        (AbstentionRule(views=2), TWO, 1.0, None),
        (AbstentionRule(agreement=0.5), TWO, 1.0, None),
        (
            AbstentionRule(agreement=0.6),
            TWO,
            1.0,
            "views disagree: 1 of 2 votes for mild, at least 60% needed",
        ),
        (AbstentionRule(agreement=0.66), THREE, 1.0, None),
        (AbstentionRule(confidence=0.7), TWO, 0.7, None),
        (AbstentionRule(confidence=0.8), TWO, 0.7, "agreement 0.70, at least 0.80 needed"),
    ],
)
def test_a_subject_is_judged_only_where_every_condition_holds(
    rule, given_votes, confidence, expected
):
    abstention = rule(given_votes, outcome("mild", confidence))
    assert (abstention and abstention.sentence) == expected


@given(
    st.lists(
        st.tuples(st.sampled_from(["A4C", "PLAX", "PSAX-P"]), st.sampled_from(CLASSES)),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([0.25, 0.5, 1.0]),
)
def test_the_rule_is_the_written_one(cast, views, agreement, least, confidence):
    counts = Counter(label for _, label in cast)
    winner = counts.most_common(1)[0][0]
    abstention = AbstentionRule(views, agreement, least)(votes(*cast), outcome(winner, confidence))
    failed = [
        len({view for view, _ in cast}) < views,
        counts[winner] < agreement * len(cast),
        confidence < least,
    ]
    assert (abstention is None) == (not any(failed))
    if abstention is not None:
        assert abstention.reason == list(REASONS)[failed.index(True)]


def test_by_default_every_subject_is_judged():
    rule = AbstentionRule()
    assert not rule.active
    assert rule(TWO, outcome("mild", 1e-9)) is None
    assert all(AbstentionRule(**more).active for more in ({"views": 2}, {"agreement": 0.1}))
    assert NOT_JUDGED not in CLASSES


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (AbstentionRule(), ""),
        (AbstentionRule(confidence=0.8), "the agreement is below 0.80"),
        (
            AbstentionRule(2, 0.5, 0.8),
            "fewer than 2 views voted, less than 50% of the votes agree or the agreement is below "
            "0.80",
        ),
    ],
)
def test_the_rule_in_words(rule, words):
    assert rule.words == words
