"""Figures of a run held against each other, and whether a difference is more than noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

from echokit.evaluation.metric_names import NAMES, REPORTED
from echokit.report.documents import Json
from echokit.report.paper.publication import Figure, Key, own_figure

Rows = Sequence[Json]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two figures of which the paper found the first to be the higher one."""

    metric: str
    names: tuple[str, str]
    high: Figure
    low: Figure
    row: str = ""
    """What both are of, where the pairs are told one by one."""
    difference: Figure | None = None
    """The first minus the second on the same patients, where the run measured it."""

    def surely(self, above: bool = True, of: int = 1) -> bool | None:
        """Whether the first is higher (or else lower) by more than chance allows for.

        Args:
            above: whether it is asked to be higher.
            of: how many pairs are looked at for one that is; the limits widen accordingly.
        """
        if self.difference is None or self.difference.ci95 is None:
            pair = (self.high, self.low) if above else (self.low, self.high)
            return beyond_noise(*pair, of=of)
        mean, (low, high) = self.difference.mean, self.difference.ci95
        wide = widened(of)
        return mean - wide * (mean - low) > 0 if above else mean + wide * (high - mean) < 0


class LackingError(Exception):
    """A figure that the run does not have; the message is its name."""


class Place(NamedTuple):
    """Where a figure of a run stands; a part that is not asked for is empty."""

    task: str
    approach: str
    views: str
    """A view or a view set."""
    metric: str = ""

    def __str__(self) -> str:
        """The row, in words: `severity, spatial, PLAX`."""
        return ", ".join(self[:3])


class RunFigures:
    """The figures of a run by their place."""

    def __init__(self, rows: Rows, paired: Rows = ()) -> None:
        self.rows: dict[Key, Json] = {
            (str(row["task"]), str(row["approach"]), str(row["views"])): row for row in rows
        }
        self.paired = paired

    def has(self, place: Place) -> bool:
        """Whether there is a row of a task, approach and view or view set."""
        return place[:3] in self.rows

    def find(self, place: Place) -> Figure | None:
        """One figure, or None."""
        return own_figure(self.rows.get(place[:3], {}).get(place.metric))

    def get(self, place: Place) -> Figure:
        """One figure.

        Raises:
            LackingError: there is none.
        """
        if not self.has(place):
            raise LackingError(f"the run has no row {place}")
        figure = self.find(place)
        if figure is None:
            raise LackingError(f"{place} has no {named(place.metric)}")
        return figure

    def mean(self, places: Sequence[Place]) -> Figure:
        """The mean of a figure over several rows.

        Its interval is the mean of their intervals, as wide as if all rows were right or wrong
        together; which rows of the same patients nearly are.
        """
        each = [self.get(place) for place in places]
        ends = [figure.ci95 for figure in each if figure.ci95]
        low, high = (sum(end[i] for end in ends) / len(each) for i in (0, 1))
        interval = (low, high) if len(ends) == len(each) else None
        return Figure(sum(figure.mean for figure in each) / len(each), None, interval)

    def difference(self, first: Sequence[Place], second: Sequence[Place]) -> Figure | None:
        """How far one approach is above another in the mean over some rows, on the same patients.

        Returns:
            None where the run did not measure it.
        """
        metric, views = first[0].metric, {place.views for place in first}
        sides = [first[0].approach, second[0].approach]
        for entry in self.paired:
            if {entry["task"]} != {p.task for p in (*first, *second)}:
                continue
            found = own_figure(entry.get(metric))
            if found is None or set(entry["views"]) != views:
                continue
            if entry["approaches"] == sides:
                return found
            if entry["approaches"] == sides[::-1]:
                ends = found.ci95 and (-found.ci95[1], -found.ci95[0])
                return Figure(-found.mean, None, ends)
        return None


def beyond_noise(high: Figure, low: Figure, of: int = 1) -> bool | None:
    """Whether one figure is higher than another by more than their intervals allow for chance.

    The lower limit of the difference, from the limits of both (MOVER, doi:10.1002/sim.3095), is
    above 0. Two figures of the same subjects rise and fall together, which this leaves out of
    account: it errs towards noise.

    Args:
        high: the higher figure.
        low: the lower one.
        of: how many pairs are looked at for one that differs.

    Returns:
        None where a figure has no interval.
    """
    if high.ci95 is None or low.ci95 is None:
        return None
    down, up = max(0.0, high.mean - high.ci95[0]), max(0.0, low.ci95[1] - low.mean)
    return high.mean - low.mean > widened(of) * math.hypot(down, up)


def widened(of: int) -> float:
    """How much wider a 95 % interval is that holds in `of` comparisons at once (Bonferroni).

    By the quantiles of a normal distribution: 1 for one, 1.35 for five.
    """
    quantile = NormalDist().inv_cdf
    return quantile(1 - 0.025 / of) / quantile(0.975)


def named(metric: str) -> str:
    """A metric in words: `confidence of wrong predictions`."""
    if metric in REPORTED:
        return NAMES[metric].heading
    return metric.replace("_", " of ") + " predictions"
