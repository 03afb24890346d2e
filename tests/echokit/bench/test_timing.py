"""Paired timings and honest verdicts."""

from __future__ import annotations

import time

import pytest

from echokit.bench.timing import Claim, alone, paired, timing_row

FAST = Claim("ours", "theirs", at_least=2.0)


def test_both_sides_are_timed_in_turns():
    order: list[str] = []
    ours, theirs = paired(lambda: order.append("o"), lambda: order.append("t"), 4)
    assert order == list("ot" + "otto" * 2)
    assert len(ours) == len(theirs) == 4


def test_a_pause_is_timed():
    (first, *_) = alone(lambda: time.sleep(0.02), 1)
    assert 0.02 <= first < 0.2


@pytest.mark.parametrize(
    ("claim", "ours", "theirs", "ratio", "reached"),
    [
        (FAST, [1.0, 1.0, 1.0], [3.0, 2.5, 2.0], 2.5, True),
        (FAST, [1.0, 1.0, 1.0], [1.5, 2.5, 1.9], 1.9, False),
        (Claim("a", "b", at_most=1.2), [1.1], [1.0], 1.1, True),
        (Claim("a", "b", at_most=1.2), [1.3], [1.0], 1.3, False),
        (Claim("a", "", seconds=0.5), [0.4, 0.6, 0.4], None, None, True),
        (Claim("a", "b", at_least=2.0, seconds=0.1), [0.2], [1.0], 5.0, False),
        (Claim("a", "b"), [0.2], [1.0], 5.0, None),
    ],
)
def test_a_goal_is_reached_or_not(claim, ours, theirs, ratio, reached):
    row = timing_row(claim, ours, theirs)
    assert row["reached"] is reached
    assert row["ratio"] == (None if ratio is None else pytest.approx(ratio))


def test_the_spread_is_the_quartiles_of_paired_ratios():
    row = timing_row(FAST, [1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0])
    assert row["spread"] == [2.0, 4.0]
