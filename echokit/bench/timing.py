"""Time two ways of doing one thing in alternation, within one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from echokit.bench.result import Row


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim about speed: what is compared with what, and the goal."""

    name: str
    """The work that echokit does."""
    against: str
    """The alternative it is compared with; empty if the goal is a time alone."""
    at_least: float | None = None
    """Goal of the speed-up: the alternative's seconds over echokit's."""
    at_most: float | None = None
    """Goal of the cost: echokit's seconds over the alternative's."""
    seconds: float | None = None
    """Goal of echokit's time, in seconds."""

    @property
    def goal(self) -> str:
        """The goal in words."""
        goals = []
        if self.at_least is not None:
            goals.append(f"{self.at_least:g}× faster")
        if self.at_most is not None:
            goals.append(f"at most {self.at_most:g}× the time")
        if self.seconds is not None:
            goals.append(f"at most {_seconds(self.seconds)}")
        return ", ".join(goals)


def in_turns(works: Sequence[Callable[[], object]], repeats: int = 7) -> list[list[float]]:
    """Time several functions in alternation, after one unmeasured call of each.

    Whatever slows the machine down for a while slows all of them down, so that their ratios are
    more reliable than their times.

    Returns:
        For each function, the seconds of its calls.
    """
    for work in works:
        work()
    times: list[list[float]] = [[] for _ in works]
    for repeat in range(repeats):
        order = list(zip(works, times, strict=True))
        # every other round runs backwards, so that neither side always follows the other
        for work, seconds in order if repeat % 2 == 0 else reversed(order):
            started = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - started)
    return times


def paired(
    ours: Callable[[], object], theirs: Callable[[], object], repeats: int = 7
) -> tuple[list[float], list[float]]:
    """Time two functions in alternation; return the seconds of the calls of each."""
    first, second = in_turns([ours, theirs], repeats)
    return first, second


def alone(ours: Callable[[], object], repeats: int = 7) -> list[float]:
    """Time one function after one unmeasured call; return the seconds of its calls."""
    return in_turns([ours], repeats)[0]


def timing_row(claim: Claim, ours: list[float], theirs: list[float] | None = None) -> Row:
    """Make the row of one claim in the table of speed.

    Args:
        claim: the claim and its goal.
        ours: seconds of each repeat.
        theirs: seconds of each repeat of the alternative.

    Returns:
        Medians in seconds, the median of the paired ratios with its quartiles (a speed-up if the
        goal is one, otherwise a cost), and whether the goal was reached.
    """
    row: Row = {
        "name": claim.name,
        "against": claim.against,
        "ours_s": statistics.median(ours),
        "theirs_s": statistics.median(theirs) if theirs else None,
        "ratio": None,
        "spread": None,
        "goal": claim.goal,
        "reached": None,
        "repeats": len(ours),
    }
    reached = []
    if theirs:
        faster = claim.at_most is None
        ratios = [(t / o) if faster else (o / t) for o, t in zip(ours, theirs, strict=True)]
        row["ratio"] = statistics.median(ratios)
        row["spread"] = _quartiles(ratios)
        if claim.at_least is not None:
            reached.append(row["ratio"] >= claim.at_least)
        if claim.at_most is not None:
            reached.append(row["ratio"] <= claim.at_most)
    if claim.seconds is not None:
        reached.append(row["ours_s"] <= claim.seconds)
    if reached:
        row["reached"] = all(reached)
    return row


def _quartiles(values: list[float]) -> list[float]:
    if len(values) < 2:
        return [values[0], values[0]]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return [first, third]


def _seconds(value: float) -> str:
    return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"
