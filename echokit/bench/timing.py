"""Paired timings: two ways of doing one thing, measured in turns within one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Claim:
    """What is compared with what, and how far apart they should be."""

    name: str
    """What echokit does."""
    against: str
    """What it is compared with; empty where the goal is a time or a rate alone."""
    at_least: float | None = None
    """Goal of the speed-up, their seconds over ours."""
    at_most: float | None = None
    """Goal of the cost, our seconds over theirs."""
    seconds: float | None = None
    """Goal of our own time, seconds."""

    @property
    def goal(self) -> str:
        """The goal in words."""
        words = []
        if self.at_least is not None:
            words.append(f"{self.at_least:g}× faster")
        if self.at_most is not None:
            words.append(f"at most {self.at_most:g}× the time")
        if self.seconds is not None:
            words.append(f"at most {_seconds(self.seconds)}")
        return ", ".join(words)


def in_turns(works: Sequence[Callable[[], object]], repeats: int = 7) -> list[list[float]]:
    """Time several functions in turns, after one unmeasured call of each.

    What slows the machine down for a while slows all of them down, so their ratios are worth more
    than their times.

    Returns:
        Seconds of each call, function by function.
    """
    for work in works:
        work()
    times: list[list[float]] = [[] for _ in works]
    for repeat in range(repeats):
        order = list(zip(works, times, strict=True))
        for work, kept in order if repeat % 2 == 0 else reversed(order):
            started = time.perf_counter()
            work()
            kept.append(time.perf_counter() - started)
    return times


def paired(
    ours: Callable[[], object], theirs: Callable[[], object], repeats: int = 7
) -> tuple[list[float], list[float]]:
    """Time two functions in turns, as `in_turns` does: seconds of each call, ours and theirs."""
    first, second = in_turns([ours, theirs], repeats)
    return first, second


def alone(ours: Callable[[], object], repeats: int = 7) -> list[float]:
    """Seconds of each call of one function, after one unmeasured call."""
    return in_turns([ours], repeats)[0]


def judge(claim: Claim, ours: list[float], theirs: list[float] | None = None) -> dict[str, Any]:
    """Make one row of a table of speed.

    Args:
        claim: what was measured and its goal.
        ours: seconds of each repeat.
        theirs: seconds of each repeat of what it is compared with.

    Returns:
        Medians in seconds, the median of the paired ratios with its quartiles – a speed-up where
        the goal is one, else a cost – and whether the goal was reached.
    """
    row: dict[str, Any] = {
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
    met = []
    if theirs:
        faster = claim.at_most is None
        each = [(t / o) if faster else (o / t) for o, t in zip(ours, theirs, strict=True)]
        row["ratio"] = statistics.median(each)
        row["spread"] = _quartiles(each)
        if claim.at_least is not None:
            met.append(row["ratio"] >= claim.at_least)
        if claim.at_most is not None:
            met.append(row["ratio"] <= claim.at_most)
    if claim.seconds is not None:
        met.append(row["ours_s"] <= claim.seconds)
    if met:
        row["reached"] = all(met)
    return row


def _quartiles(values: list[float]) -> list[float]:
    if len(values) < 2:
        return [values[0], values[0]]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return [first, third]


def _seconds(value: float) -> str:
    return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"
