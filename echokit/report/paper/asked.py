"""Ask a run's figures whether a statement of a publication holds; nothing is picked by its figure.

Where a publication speaks of the best view, every view is asked: the best of several figures is
flattered by being picked, and the best of one list cannot be held against that of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from echokit.recipe.published import PublishedFinding
from echokit.report.paper.compared import LackingError, Pair, Place, RunFigures, named
from echokit.report.words import listing, number, plural, signed

FIELDS = {"tasks": "task", "approaches": "approach", "views": "views", "metrics": "metric"}
"""What a finding compares -> the part of a figure's place that it is."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a finding comes to."""

    pairs: tuple[Pair, ...]
    remark: str
    """What else is told of the figures; it decides nothing."""
    also: bool = True
    """Whether what the finding says besides is so."""


@dataclass(frozen=True, slots=True)
class Question:
    """A finding that is asked of one run."""

    finding: PublishedFinding
    figures: RunFigures

    def answer(self) -> Asked:
        """Make every comparison of the finding.

        Raises:
            LackingError: the run lacks a figure without which the finding cannot be asked.
        """
        rows = self.rows()
        if not rows:
            raise LackingError(self._what_lacks())
        pairs = tuple(self._pairs(rows))
        remarks = [self._remark(rows, pairs)]
        if told := self.finding.remark_tasks:
            remarks = [f"{task}: {said}" for task in told if (said := self._remark_of(task))]
        near, far = self._distances(rows[0])
        return Asked(pairs, "; ".join(filter(None, remarks)), near < far)

    def rows(self) -> list[Place]:
        """The places, all but what is compared, at which the run has both sides."""
        asked = self.finding
        every = product(asked.tasks or ("",), asked.approaches or ("",), asked.views or ("",))
        lower = [name for name in asked.lower if name not in asked.higher]
        return [
            row
            for row in (Place(*parts) for parts in every)
            if all(self._has(row, name) for name in asked.higher)
            and any(self._has(row, name) for name in lower)
        ]

    def _side(self, row: Place, name: str, metric: str = "") -> Place:
        """The place of one side of a comparison."""
        return row._replace(metric=metric)._replace(**{FIELDS[self.finding.compare]: name})

    def _has(self, row: Place, name: str) -> bool:
        place = self._side(row, name)
        if self.finding.compare == "metrics":
            return self.figures.find(place) is not None
        return self.figures.has(place)

    def _what_lacks(self) -> str:
        asked = self.finding
        several = len(asked.tasks) > 1 or len(asked.approaches) > 1 or len(asked.views) > 1
        if not several:  # one row, so that the names that lack can be told
            (row,) = product(asked.tasks or ("",), asked.approaches or ("",), asked.views or ("",))
            absent = [name for name in asked.higher if not self._has(Place(*row), name)]
            name = absent[0] if absent else " or ".join(asked.lower)
            return f"the run has no row {self._side(Place(*row), name)}"
        sides = [*asked.higher, *asked.lower]
        if asked.compare == "metrics":
            sides = [named(metric) for metric in sides]
        where = [part[0] for part in (asked.tasks, asked.approaches) if len(part) == 1]
        return f"the run has no row of both {', '.join([listing(sides), *where])}"

    def _pairs(self, rows: Sequence[Place]) -> Iterator[Pair]:
        asked = self.finding
        for metric in asked.metrics or ("",):
            if asked.mean:
                yield self._mean(rows, metric)
                continue
            for row in rows:
                for names in product(asked.higher, asked.lower):
                    if names[0] != names[1] and self._has(row, names[1]):
                        yield self._pair(row, *names, metric)

    def _pair(self, row: Place, higher: str, lower: str, metric: str) -> Pair:
        """One comparison in one row."""
        asked = self.finding
        high, low = (self.figures.get(self._side(row, n, metric)) for n in (higher, lower))
        first, second = (asked.words.get(name, name) for name in (higher, lower))
        where = [row.views, row.task if len(asked.tasks) > 1 else ""]
        where.append(row.approach if len(asked.approaches) > 1 else "")
        label = " ".join(filter(None, where))
        if asked.compare == "metrics":
            return Pair(higher, (first, second), high, low, label)
        return Pair(metric, (f"{label} {first}".strip(), f"{label} {second}".strip()), high, low)

    def _mean(self, rows: Sequence[Place], metric: str) -> Pair:
        """The means of the first names of each side over some rows."""
        higher, lower = self.finding.higher[0], self.finding.lower[0]
        first, second = ([self._side(row, n, metric) for row in rows] for n in (higher, lower))
        return Pair(
            metric,
            (f"{higher} in the mean of {plural(len(rows), 'row')}", lower),
            self.figures.mean(first),
            self.figures.mean(second),
            difference=self.figures.difference(first, second),
        )

    def _distances(self, row: Place) -> tuple[float, float]:
        """How far the first of `nearer` is from the second and from the third."""
        if self.finding.nearer is None:
            return 0.0, 1.0
        metric = self.finding.metrics[0]
        places = [self._side(row, name, metric) for name in self.finding.nearer]
        first, second, third = (self.figures.get(place).mean for place in places)
        return abs(second - first), abs(first - third)

    def _remark_of(self, task: str) -> str:
        """The remark as the figures of one task make it; nothing where there is no row."""
        part = {"tasks": (task,), "metrics": self.finding.metrics[:1]}
        other = Question(self.finding.model_copy(update=part), self.figures)
        rows = other.rows()
        return other._remark(rows, tuple(other._pairs(rows))) if rows else ""

    def _remark(self, rows: Sequence[Place], pairs: Sequence[Pair]) -> str:
        blanks = self._blanks(rows, pairs)
        asked = set(re.findall(r"\{(\w+)\}", self.finding.remark))
        if any(blanks.get(blank) is None for blank in asked):
            return ""
        return re.sub(r"\{(\w+)\}", lambda blank: blanks[blank[1]] or "", self.finding.remark)

    def _blanks(self, rows: Sequence[Place], pairs: Sequence[Pair]) -> dict[str, str | None]:
        """What a remark may tell of the figures."""
        asked = self.finding
        absent = [name for name in asked.lower if not any(self._has(row, name) for row in rows)]
        near, far = self._distances(rows[0])
        each = pairs
        lead, limits = None, None
        if asked.mean:
            each = [self._pair(r, asked.higher[0], asked.lower[0], asked.metrics[0]) for r in rows]
            lead = signed(pairs[0].high.mean - pairs[0].low.mean)
            limits = _limits(pairs[0])
        count = sum(pair.high.mean > pair.low.mean for pair in each)
        ahead = f"{count} of {plural(len(each), 'row')}"
        sure = [pair.surely() for pair in each]
        beyond = f", beyond noise in {sum(map(bool, sure))}" if None not in sure else ""
        return {
            "absent": listing(absent) if absent else None,
            "near": number(near),
            "far": number(far),
            "ahead": ahead,
            "surely_ahead": ahead + beyond,
            "lead": lead,
            "limits": limits,
        }


def _limits(pair: Pair) -> str:
    """The interval of a mean lead where the run measured it, in brackets."""
    if pair.difference is None or pair.difference.ci95 is None:
        return ""
    low, high = pair.difference.ci95
    return f" ({signed(low)} to {signed(high)} on the same patients)"
