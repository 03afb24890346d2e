"""What the paper found, asked of a run's own figures (paper, section 3.3 and Tables 1 and 3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from echokit.report.published_figures import Figure, Key, own_figure
from echokit.report.results import Results
from echokit.report.words import METRICS, listing, number

SEVERITY, BINARY = "severity", "binary"
SPATIAL, MAIN = "spatial", "spatio-temporal"
SINGLE = ("A4C", "PLAX", "PSAX-P", "PSAX-S", "PSAX-A")
SETS = ("MV-3", "MV-All")
JUDGED = ("f1", "balanced_accuracy")
"""The metrics that the paper argues with."""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement of the paper, and whether a run agrees."""

    name: str
    sentence: str
    holds: bool | None
    """None where the run lacks a figure that it needs."""
    within_noise: bool | None
    """Whether the intervals allow that it is otherwise; None where there are none."""
    detail: str
    """The figures, or what is lacking."""

    @property
    def verdict(self) -> str:
        """`holds`, `does not hold`, with how sure that is; `cannot be said`."""
        if self.holds is None:
            return "cannot be said"
        noise = {True: ", within noise", False: ", beyond noise", None: ""}[self.within_noise]
        return ("holds" if self.holds else "does not hold") + noise


@dataclass(frozen=True, slots=True)
class Pair:
    """Two figures of which the paper found the first to be the higher one."""

    metric: str
    names: tuple[str, str]
    high: Figure
    low: Figure


@dataclass(frozen=True, slots=True)
class Asked:
    """What a finding comes to."""

    pairs: list[Pair]
    aside: str = ""
    """A remark on the figures."""
    also: bool = True
    """Whether what else it says is so."""


class _LackingError(Exception):
    """A figure that the run does not have; the message is its name."""


class _Figures:
    """The figures of a run by their place."""

    def __init__(self, rows: Rows) -> None:
        self.rows: dict[Key, Mapping[str, Any]] = {
            (str(row["task"]), str(row["approach"]), str(row["views"])): row for row in rows
        }

    def has(self, *key: str) -> bool:
        return key in self.rows

    def get(self, task: str, approach: str, views: str, metric: str) -> Figure:
        if (task, approach, views) not in self.rows:
            raise _LackingError(f"the run has no row {task}, {approach}, {views}")
        figure = own_figure(self.rows[task, approach, views].get(metric))
        if figure is None:
            raise _LackingError(f"{task}, {approach}, {views} has no {_named(metric)}")
        return figure

    def best(self, task: str, approach: str, views: Iterable[str], metric: str) -> str:
        known = [v for v in views if self.has(task, approach, v)]
        if not known:
            raise _LackingError(f"the run has no row of {task}, {approach}")
        return max(known, key=lambda v: self.get(task, approach, v, metric).mean)


def beyond_noise(high: Figure, low: Figure) -> bool | None:
    """Whether one figure is higher than another by more than their intervals allow for chance.

    The lower limit of the difference, from the limits of both (MOVER, doi:10.1002/sim.3095), is
    above 0. Two figures of the same subjects rise and fall together, which this leaves out of
    account: it errs towards noise.

    Returns:
        None where a figure has no interval.
    """
    if high.ci95 is None or low.ci95 is None:
        return None
    down, up = max(0.0, high.mean - high.ci95[0]), max(0.0, low.ci95[1] - low.mean)
    return high.mean - low.mean > math.hypot(down, up)


def paper_findings(rows: Rows) -> tuple[Finding, ...]:
    """Ask a run's figures for each finding of the paper.

    Args:
        rows: those of metrics.json.
    """
    figures = _Figures(rows)
    found = []
    for name, (sentence, ask, ties) in FINDINGS.items():
        try:
            asked = ask(figures)
        except _LackingError as lacking:
            found.append(Finding(name, sentence, None, None, str(lacking)))
        else:
            found.append(_judge(name, sentence, asked, ties))
    return tuple(found)


def run_findings(results: Results) -> tuple[Finding, ...]:
    """What a run says to the paper's findings; nothing where its recipe has no `[published]`."""
    found = paper_findings(results.rows) if results.recipe.get("published") else ()
    return found if any(finding.holds is not None for finding in found) else ()


def findings_json(found: Iterable[Finding], synthetic: bool) -> dict[str, Any]:
    """The findings as `report/tables/findings.json` holds them."""
    said = [asdict(finding) | {"verdict": finding.verdict} for finding in found]
    return {"schema": 1, "synthetic": synthetic, "findings": said}


def _judge(name: str, sentence: str, asked: Asked, ties: bool) -> Finding:
    def agrees(pair: Pair) -> bool:
        return pair.high.mean >= pair.low.mean if ties else pair.high.mean > pair.low.mean

    against = [pair for pair in asked.pairs if not agrees(pair)]
    if against:  # one surely against it is enough
        sure = [beyond_noise(pair.low, pair.high) for pair in against]
        beyond = True if True in sure else None if None in sure else False
    else:
        sure = [beyond_noise(pair.high, pair.low) for pair in asked.pairs]
        beyond = False if False in sure else None if None in sure else True
        beyond = beyond if asked.also else None
    within = None if beyond is None else not beyond
    return Finding(name, sentence, not against and asked.also, within, _detail(asked))


def _detail(asked: Asked) -> str:
    shown: dict[str, dict[str, str]] = {}
    for pair in asked.pairs:
        ends = zip(pair.names, (pair.high, pair.low), strict=True)
        shown.setdefault(pair.metric, {}).update({n: number(f.mean) for n, f in ends})
    parts = [
        f"{_named(metric)}: {', '.join(f'{n} {value}' for n, value in of.items())}"
        for metric, of in shown.items()
    ]
    return "; ".join([*parts, asked.aside] if asked.aside else parts)


def _named(metric: str) -> str:
    return METRICS.get(metric, metric.replace("_", " of ") + " predictions")


def _best_view(figures: _Figures) -> Asked:
    def f1(view: str) -> Figure:
        return figures.get(SEVERITY, MAIN, view, "f1")

    best = f1("PSAX-P")
    others = [v for v in SINGLE if v != "PSAX-P" and figures.has(SEVERITY, MAIN, v)]
    if not others:
        raise _LackingError(f"the run has no other view of {SEVERITY}, {MAIN}")
    absent = [v for v in SINGLE if v != "PSAX-P" and v not in others]
    pairs = [Pair("f1", ("PSAX-P", v), best, f1(v)) for v in others]
    return Asked(pairs, f"without {listing(absent)}" if absent else "")


def _a4c_behind(figures: _Figures) -> Asked:
    a4c, plax, psax = (figures.get(SEVERITY, MAIN, v, "f1") for v in ("A4C", "PLAX", "PSAX-P"))
    pairs = [Pair("f1", ("PSAX-P", "A4C"), psax, a4c), Pair("f1", ("PLAX", "A4C"), plax, a4c)]
    near, far = abs(psax.mean - plax.mean), abs(plax.mean - a4c.mean)
    aside = f"PLAX is {number(near)} from PSAX-P and {number(far)} from A4C"
    return Asked(pairs, aside, near < far)


def _more_views(figures: _Figures) -> Asked:
    pairs = []
    for metric in JUDGED:
        many, three = (figures.get(SEVERITY, MAIN, v, metric) for v in ("MV-All", "MV-3"))
        view = figures.best(SEVERITY, MAIN, SINGLE, metric)
        one = figures.get(SEVERITY, MAIN, view, metric)
        pairs.append(Pair(metric, ("MV-All", "MV-3"), many, three))
        pairs.append(Pair(metric, ("MV-3", view), three, one))
    return Asked(pairs)


def _binary_easier(figures: _Figures) -> Asked:
    both = [v for v in (*SINGLE, *SETS) if all(figures.has(t, MAIN, v) for t in (SEVERITY, BINARY))]
    if not both:
        raise _LackingError(f"the run has no row of both {SEVERITY} and {BINARY}, {MAIN}")
    pairs = [
        Pair(
            "f1",
            (f"{view} {BINARY}", f"{view} {SEVERITY}"),
            figures.get(BINARY, MAIN, view, "f1"),
            figures.get(SEVERITY, MAIN, view, "f1"),
        )
        for view in both
    ]
    return Asked(pairs)


def _time_helps(figures: _Figures) -> Asked:
    pairs = []
    for metric in JUDGED:
        new, old = (
            (a, figures.best(SEVERITY, a, (*SINGLE, *SETS), metric)) for a in (MAIN, SPATIAL)
        )
        names = (" ".join(reversed(new)), " ".join(reversed(old)))
        high, low = (figures.get(SEVERITY, *place, metric) for place in (new, old))
        pairs.append(Pair(metric, names, high, low))
    return Asked(pairs)


def _wrong_less_sure(figures: _Figures) -> Asked:
    pairs = []
    for view in ("PSAX-P", "PLAX"):
        right, wrong = (
            figures.get(SEVERITY, MAIN, view, f"confidence_{how}") for how in ("correct", "wrong")
        )
        pairs.append(Pair("confidence", (f"{view} right", f"{view} wrong"), right, wrong))
    return Asked(pairs)


FINDINGS: Mapping[str, tuple[str, Callable[[_Figures], Asked], bool]] = {
    "best-view": ("PSAX-P is the best single view for severity", _best_view, False),
    "a4c-behind": ("PLAX is near PSAX-P, and A4C behind both", _a4c_behind, False),
    "more-views": ("More views help: MV-All, then MV-3, then the best one", _more_views, True),
    "binary-easier": ("Detecting PH is easier than grading it", _binary_easier, False),
    "time-helps": ("Time helps: spatio-temporal is ahead of spatial", _time_helps, False),
    "wrong-less-sure": ("Wrong predictions are less confident", _wrong_less_sure, False),
}
"""Name -> (the paper's finding, how it is asked of figures, whether a tie agrees)."""
