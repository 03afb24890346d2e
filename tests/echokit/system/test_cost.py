"""Where the seconds go: stages that take turns, and what is made while something else is used."""

from __future__ import annotations

import threading

import pytest

from echokit.system.cost import Profile
from echokit.system.prefetch import prefetch


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only where the test says so."""
    now = [0.0]
    monkeypatch.setattr("echokit.system.cost.time.monotonic", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    return passes


def test_stages_that_take_turns_add_up_in_the_order_they_first_ran(clock):
    profile = Profile()
    for name, seconds in (("prepare", 1.0), ("predict", 2.0), ("prepare", 4.0)):
        with profile.stage(name):
            clock(seconds)
    assert [(row["name"], row["seconds"]) for row in profile.rows()] == [
        ("prepare", 5.0),
        ("predict", 2.0),
    ]
    assert all(row["done"] and row["peak_memory_mb"] > 0 for row in profile.rows())


def test_the_making_of_each_counts_and_what_is_done_with_it_does_not(clock):
    def made():
        for number in range(3):
            clock(1.0)
            yield number

    profile = Profile()
    for _ in profile.each("predict", made()):
        clock(100.0)
    assert profile.rows()[0]["seconds"] == 3.0


def test_a_stage_that_fails_has_cost_what_it_cost(clock):
    def fails():
        clock(2.0)
        raise ValueError("no")

    profile = Profile()
    with pytest.raises(ValueError, match="no"), profile.stage("prepare"):
        fails()
    assert profile.rows()[0]["seconds"] == 2.0


def test_the_next_is_made_in_a_thread_while_one_is_used():
    begun = [threading.Event() for _ in range(3)]

    def make(number):
        begun[number].set()
        return threading.current_thread().name

    for number, thread in enumerate(prefetch(map(make, range(3)))):
        assert thread.startswith("prefetch")
        assert number == 2 or begun[number + 1].wait(5), "the next had not been begun"


def test_order_and_end_are_kept_and_errors_come_when_it_is_their_turn():
    def failing():
        yield from (1, None, 2)
        raise ValueError("after two")

    coming = prefetch(failing())
    assert [next(coming) for _ in range(3)] == [1, None, 2]
    with pytest.raises(ValueError, match="after two"):
        next(coming)
    assert list(prefetch(())) == []
