"""The majority vote: rules by example, invariants by hypothesis."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echokit import DataError, OptionError, Votes, resolve

SEVERITY = ("none", "mild", "moderate-severe")
VOTE = resolve("aggregator", "majority-vote")
SUREST = resolve("aggregator", "majority-vote", tie="most-confident")


def votes(labels, probabilities, confidences=None, classes=SEVERITY) -> Votes:
    return Votes(
        classes=classes,
        voters=tuple(f"voter {i}" for i in range(len(labels))),
        labels=np.array(labels, dtype=np.int64),
        probabilities=np.array(probabilities, dtype=np.float64),
        confidences=None if confidences is None else np.array(confidences, dtype=np.float64),
    )


@st.composite
def any_votes(draw):
    k = draw(st.integers(2, 4))
    n = draw(st.integers(1, 7))
    # few distinct values, so that ties of every depth turn up
    weight = st.integers(0, 3)
    rows = [draw(st.lists(weight, min_size=k, max_size=k)) for _ in range(n)]
    rows = [[w / sum(row) for w in row] if sum(row) else [1 / k] * k for row in rows]
    labels = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    confidence = st.sampled_from([0.1, 0.2, 0.3, 0.6, 0.7, 1.0]) | st.floats(1e-6, 1.0)
    confidences = None
    if draw(st.booleans()):
        confidences = draw(st.lists(confidence, min_size=n, max_size=n))
    return votes(labels, rows, confidences, classes=tuple(f"class {i}" for i in range(k)))


def tied(given_votes: Votes) -> list[int]:
    counts = Counter(given_votes.labels.tolist())
    return [label for label, count in counts.items() if count == max(counts.values())]


def exact(confidence: float) -> Fraction:
    """A share of at most 30 voters, or the number itself: found by trying every share."""
    shares = (Fraction(m, n) for n in range(1, 31) for m in range(1, n + 1))
    return next((share for share in shares if float(share) == confidence), Fraction(confidence))


def expected_winner(v: Votes, tie: str = "sum") -> str:
    """The written rule, in exact arithmetic and with loops: an oracle of another make."""
    best = None
    for label in tied(v):
        agreeing = [i for i, chosen in enumerate(v.labels.tolist()) if chosen == label]
        if v.confidences is None:
            total = sum(Fraction(row[label]) for row in v.probabilities.tolist())
            each = [Fraction(v.probabilities[i, label]) for i in agreeing]
        else:
            each = [exact(v.confidences[i]) for i in agreeing]
            total = sum(each)
        key = (total, label) if tie == "sum" else (max(each), total, label)
        best = max(best or key, key)
    return v.classes[best[-1]]


@given(any_votes())
@settings(deadline=None)
def test_the_winner_is_the_one_of_the_written_rule(v):
    assert VOTE(v).label == expected_winner(v)
    assert SUREST(v).label == expected_winner(v, "most-confident")


@st.composite
def views_in_a_tie(draw):
    """Two labels, m views each, with confidences of the same sum: shares of n sequences."""
    n, m = draw(st.integers(2, 30)), draw(st.integers(1, 4))
    share = st.integers(1, n)
    one = draw(st.lists(share, min_size=m, max_size=m))
    other = draw(st.permutations(one)) if m == 1 else draw(st.lists(share, min_size=m, max_size=m))
    return n, one, list(other)


@given(views_in_a_tie(), st.booleans())
@settings(deadline=None, max_examples=500)
def test_a_tie_between_shares_of_sequences_is_decided_by_whole_numbers(case, swapped):
    n, one, other = case
    shares = [count / n for count in one + other]
    labels = [0] * len(one) + [1] * len(other)
    v = votes(labels, [[0.5, 0.5]] * len(labels), shares, ("none", "PH"))
    assert VOTE(v).label == ("none" if sum(one) > sum(other) else "PH")
    by_largest = (max(one), sum(one)) > (max(other), sum(other))
    assert SUREST(v).label == ("none" if by_largest else "PH")
    agreeing = one if VOTE(v).label == "none" else other
    assert VOTE(v).confidence == float(Fraction(sum(agreeing), n * len(agreeing)))


@pytest.mark.parametrize(
    ("none", "severe"), [([0.1, 0.2, 0.4], [0.3, 0.3, 0.1]), ([0.1, 0.8], [0.2, 0.7])]
)
def test_rounding_decides_no_tie(none, severe):
    """The sums are 7/10 and 9/10 on both sides; those of the float64 next to them differ."""
    v = votes([0] * len(none) + [2] * len(severe), [[0.4, 0.2, 0.4]] * 2 * len(none), none + severe)
    assert VOTE(v).label == "moderate-severe"


def test_random_ties_of_shares_are_decided_as_whole_numbers_are():
    rng = np.random.default_rng(0)
    for _ in range(5000):
        m = int(rng.integers(1, 4))
        counts = rng.integers(1, 11, 2 * m)
        v = votes([0] * m + [1] * m, [[0.5, 0.5]] * 2 * m, counts / 10, ("none", "PH"))
        assert (VOTE(v).label == "none") == (counts[:m].sum() > counts[m:].sum()), counts


def test_the_most_confident_view_can_decide_a_tie():
    p = [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.2, 0.1, 0.7]]
    v = votes([0, 0, 2, 2], p, [1.0, 0.4, 0.8, 0.8])
    assert VOTE(v).label == "moderate-severe"
    assert (SUREST(v).label, SUREST(v).confidence) == ("none", 0.7)


def test_the_clearest_sequence_can_decide_a_tie():
    p = [[0.9, 0.1, 0.0], [0.4, 0.3, 0.3], [0.1, 0.7, 0.2], [0.1, 0.8, 0.1]]
    v = votes([0, 0, 1, 1], p)
    assert (VOTE(v).label, SUREST(v).label) == ("mild", "none")


def test_another_rule_for_a_tie_is_refused():
    with pytest.raises(OptionError, match="give 'sum' or 'most-confident'"):
        resolve("aggregator", "majority-vote", tie="first")


@given(any_votes(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_voters_never_matters(v, random):
    order = list(range(len(v.voters)))
    random.shuffle(order)
    shuffled = Votes(
        classes=v.classes,
        voters=tuple(v.voters[i] for i in order),
        labels=v.labels[order],
        probabilities=v.probabilities[order],
        confidences=None if v.confidences is None else v.confidences[order],
    )
    outcome, other = VOTE(v), VOTE(shuffled)
    assert (outcome.label, outcome.confidence) == (other.label, other.confidence)
    assert np.array_equal(outcome.probabilities, other.probabilities)


@given(any_votes())
@settings(deadline=None)
def test_a_tie_cannot_be_won_by_a_label_outside_it(v):
    """Regression: the research code let the most confident voter win whatever its label was."""
    assert v.classes.index(VOTE(v).label) in tied(v)


def test_a_tie_cannot_be_won_by_a_label_outside_it_though_its_voter_is_surest():
    p = [[0.6, 0.4, 0.0], [0.6, 0.4, 0.0], [0.2, 0.8, 0.0], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0]]
    assert VOTE(votes([0, 0, 1, 1, 2], p, [0.5, 0.5, 0.5, 0.6, 1.0])).label == "mild"
    assert VOTE(votes([0, 0, 1, 1, 2], p)).label == "mild"


@pytest.mark.parametrize("confidences", [None, [0.6, 0.9, 0.8]])
def test_binary_labels_can_predict_1(confidences):
    """Regression: mean voting in the research code always predicted 0 on binary labels."""
    v = votes([1, 1, 0], [[0.3, 0.7], [0.4, 0.6], [0.8, 0.2]], confidences, ("none", "PH"))
    assert VOTE(v).label == "PH"


@given(any_votes())
@settings(deadline=None)
def test_confidence_and_probabilities_are_in_range(v):
    outcome = VOTE(v)
    assert 0 < outcome.confidence <= 1
    assert outcome.probabilities.shape == (len(v.classes),)
    assert ((outcome.probabilities >= 0) & (outcome.probabilities <= 1)).all()
    assert outcome.probabilities.sum() == pytest.approx(1)


@given(any_votes())
@settings(deadline=None)
def test_one_vote_decides(v):
    first = Votes(
        classes=v.classes,
        voters=v.voters[:1],
        labels=v.labels[:1],
        probabilities=v.probabilities[:1],
        confidences=None if v.confidences is None else v.confidences[:1],
    )
    outcome = VOTE(first)
    assert outcome.label == v.classes[v.labels[0]]
    assert outcome.confidence == (1.0 if v.confidences is None else v.confidences[0])
    assert np.array_equal(outcome.probabilities, v.probabilities[0])


def test_sequences_by_the_paper():
    """Section 2.3: the most frequent label, C = |y*| / n; mean probability for the AUROC."""
    p = [[0.1, 0.7, 0.2], [0.1, 0.6, 0.3], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6]]
    outcome = VOTE(votes([1, 1, 0, 2], p))
    assert (outcome.label, outcome.confidence) == ("mild", 0.5)
    np.testing.assert_allclose(outcome.probabilities, np.mean(p, axis=0), rtol=1e-15)


def test_sequences_in_a_tie_go_by_the_sum_over_all_voters():
    # 'none' has the surer voter, but over all three 'mild' has the larger sum
    p = [[0.6, 0.4, 0.0], [0.2, 0.5, 0.3], [0.0, 0.4, 0.6]]
    assert VOTE(votes([0, 1, 2], p)).label == "mild"


def test_views_by_the_paper():
    """Majority; confidence is the mean of the agreeing views, probabilities of the surest one."""
    p = [[0.1, 0.7, 0.2], [0.2, 0.6, 0.2], [1.0, 0.0, 0.0]]
    outcome = VOTE(votes([1, 1, 0], p, [0.6, 0.9, 1.0]))
    assert (outcome.label, outcome.confidence) == ("mild", 0.75)
    assert outcome.probabilities.tolist() == p[1]


def test_views_in_a_tie_go_to_the_more_confident():
    p = [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]
    assert VOTE(votes([0, 2], p, [0.8, 0.7])).label == "none"
    assert VOTE(votes([0, 2], p, [0.7, 0.8])).label == "moderate-severe"


@pytest.mark.parametrize("confidences", [None, [0.7, 0.7]])
def test_what_stays_tied_goes_to_the_more_severe(confidences):
    p = [[0.6, 0.3, 0.1], [0.3, 0.6, 0.1]]
    assert VOTE(votes([0, 1], p, confidences)).label == "mild"


def test_views_equally_confident_give_the_probabilities_of_the_one_surest_of_the_label():
    p = [[0.1, 0.6, 0.3], [0.1, 0.8, 0.1], [0.05, 0.8, 0.15]]
    assert VOTE(votes([1, 1, 1], p, [0.9, 0.9, 0.9])).probabilities.tolist() == p[1]


def test_float32_votes_are_summed_without_rounding():
    p = np.array([[0.1, 0.9]] * 3 + [[0.9, 0.1]] * 3, dtype=np.float32)
    v = replace(votes([1, 1, 1, 0, 0, 0], p, classes=("none", "PH")), probabilities=p)
    assert VOTE(v).label == "PH"  # an exact tie, so the more severe
    assert VOTE(v).probabilities.dtype == np.float64


UNIFORM = [[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (votes([], np.empty((0, 3))), "no voters"),
        (votes([0, 1, 2], UNIFORM), "probabilities of shape"),
        (votes([0, 1], [[0.5, 0.5], [0.5, 0.5]]), "2 voters by 3 classes"),
        (replace(votes([0, 1], UNIFORM), labels=np.array([0])), "labels of shape"),
        (replace(votes([0, 1], UNIFORM), labels=np.array([0.0, 1.0])), "whole numbers"),
        (votes([0, 3], UNIFORM), "0 to 2"),
        (votes([0, -1], UNIFORM), "0 to 2"),
        (votes([0, 1], [[np.nan, 0.5, 0.5], [0.2, 0.3, 0.5]]), "probabilities outside"),
        (votes([0, 1], [[1.5, -0.5, 0.0], [0.2, 0.3, 0.5]]), "probabilities outside"),
        (votes([0, 1], [[2.0, 0.1, -1.0], [0.2, 0.3, 0.5]]), "probabilities outside"),
        (votes([0, 1], [[0.2, 0.2, 0.2], [0.2, 0.3, 0.5]]), "sum to 0.6"),
        (votes([0, 1], UNIFORM, [0.5]), "confidences of shape"),
        (votes([0, 1], UNIFORM, [0.5, np.nan]), "confidences outside"),
        (votes([0, 1], UNIFORM, [0.5, 0.0]), "confidences outside"),
        (votes([0, 1], UNIFORM, [0.5, 1.1]), "confidences outside"),
    ],
)
def test_votes_that_cannot_be_counted_are_refused(broken, words):
    with pytest.raises(DataError, match=words):
        VOTE(broken)
