"""Dempster-Shafer and Borda, against the rules written out over sets and rankings."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from echokit import OptionError, Votes, resolve

SEVERITY = ("none", "mild", "moderate-severe")


def votes(rows, confidences=None) -> Votes:
    probabilities = np.array(rows, np.float64)
    return Votes(
        classes=SEVERITY[: probabilities.shape[1]],
        voters=tuple(f"view {i}" for i in range(len(rows))),
        labels=probabilities.argmax(1),
        probabilities=probabilities,
        confidences=None if confidences is None else np.array(confidences, np.float64),
    )


def combine(masses: list[dict[frozenset[int], float]]) -> dict[frozenset[int], float]:
    """Dempster's rule as the book writes it: intersections, then division by 1 - conflict."""
    combined = masses[0]
    for other in masses[1:]:
        result: dict[frozenset[int], float] = {}
        for (a, x), (b, y) in product(combined.items(), other.items()):
            if a & b:
                result[a & b] = result.get(a & b, 0.0) + x * y
        total = sum(result.values())
        combined = {subset: mass / total for subset, mass in result.items()}
    return combined


rows = st.lists(
    st.lists(st.integers(1, 9), min_size=3, max_size=3).map(lambda w: [v / sum(w) for v in w]),
    min_size=1,
    max_size=6,
)


@given(rows, st.data())
@settings(max_examples=60, deadline=None)
def test_masses_combine_as_in_the_book(given_rows, data):
    sure = data.draw(
        st.lists(st.floats(0.1, 1), min_size=len(given_rows), max_size=len(given_rows))
    )
    everything = frozenset(range(3))
    masses = []
    for row, confidence in zip(given_rows, sure, strict=True):
        d = 0.8 * confidence
        masses.append({frozenset([k]): d * p for k, p in enumerate(row)} | {everything: 1 - d})
    combined = combine(masses)
    doubt = combined.get(everything, 0.0)
    expected = [combined.get(frozenset([k]), 0.0) + doubt / 3 for k in range(3)]
    outcome = resolve("aggregator", "dempster-shafer", reliability=0.8)(votes(given_rows, sure))
    np.testing.assert_allclose(outcome.probabilities, expected, rtol=1e-9)
    assert outcome.confidence == pytest.approx(max(expected))


def test_agreement_makes_surer_and_a_vague_voter_changes_little():
    rule = resolve("aggregator", "dempster-shafer")
    row = [0.6, 0.3, 0.1]
    alone, twice = rule(votes([row], [0.8])), rule(votes([row, row], [0.8, 0.8]))
    assert twice.confidence > alone.confidence
    vague = rule(votes([row, [0.1, 0.1, 0.8]], [0.8, 0.01]))
    assert vague.confidence == pytest.approx(alone.confidence, abs=0.01)


def test_voters_who_contradict_each_other_wholly_are_combined():
    outcome = resolve("aggregator", "dempster-shafer")(
        votes([[1, 0, 0], [0, 0, 1]] * 400, [1.0] * 800)
    )
    assert outcome.label == "moderate-severe"
    np.testing.assert_allclose(outcome.probabilities, [0.5, 0, 0.5], atol=1e-9)


@pytest.mark.parametrize("reliability", [0, 1, -0.1, 1.5])
def test_a_reliability_that_leaves_nothing_to_combine_is_refused(reliability):
    with pytest.raises(OptionError, match="between 0 and 1"):
        resolve("aggregator", "dempster-shafer", reliability=reliability)


@given(rows)
@settings(max_examples=60, deadline=None)
def test_bordas_points_are_scipys_average_ranks(given_rows):
    points = (rankdata(given_rows, method="average", axis=1) - 1).sum(axis=0)
    outcome = resolve("aggregator", "borda")(votes(given_rows))
    np.testing.assert_allclose(outcome.probabilities, points / points.sum())
    assert outcome.confidence == pytest.approx(points.max() / (2 * len(given_rows)))


def test_bordas_winner_may_be_nobodys_enemy():
    """The textbook case: three voters put A first, two B; B is never last."""
    five = votes([[0.5, 0.4, 0.1]] * 3 + [[0.1, 0.5, 0.4]] * 2)
    outcome = resolve("aggregator", "borda")(five)
    assert outcome.label == "mild"
    assert outcome.confidence == pytest.approx(7 / 10)
    assert (
        resolve("aggregator", "majority-vote")(
            votes([[0.5, 0.4, 0.1]] * 3 + [[0.1, 0.5, 0.4]] * 2)
        ).label
        == "none"
    )


def test_borda_of_two_labels_is_the_majority():
    outcome = resolve("aggregator", "borda")(votes([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]]))
    assert (outcome.label, outcome.confidence) == ("mild", pytest.approx(2 / 3))
