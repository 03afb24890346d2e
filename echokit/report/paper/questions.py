"""How each finding of the paper is asked of a run's figures; nothing is picked by its figure.

Where the paper speaks of the best view, every view is asked: the best of several figures is
flattered by being picked, and the best of one list cannot be held against that of another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from echokit.report.paper.compared import LackingError, Pair, RunFigures
from echokit.report.paper.published_figures import Figure
from echokit.report.words import listing, number, plural, signed

SEVERITY, BINARY = "severity", "binary"
SPATIAL, MAIN = "spatial", "spatio-temporal"
SINGLE = ("A4C", "PLAX", "PSAX-P", "PSAX-S", "PSAX-A")
SETS = ("MV-3", "MV-All")
JUDGED = ("f1", "balanced_accuracy")
"""The metrics that the paper argues with."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a finding comes to."""

    pairs: list[Pair]
    aside: str = ""
    """A remark on the figures."""
    also: bool = True
    """Whether what else it says is so."""


def _best_view(figures: RunFigures) -> Asked:
    def f1(view: str) -> Figure:
        return figures.get(SEVERITY, MAIN, view, "f1")

    best = f1("PSAX-P")
    others = [v for v in SINGLE if v != "PSAX-P" and figures.has(SEVERITY, MAIN, v)]
    if not others:
        raise LackingError(f"the run has no other view of {SEVERITY}, {MAIN}")
    absent = [v for v in SINGLE if v != "PSAX-P" and v not in others]
    pairs = [Pair("f1", ("PSAX-P", v), best, f1(v)) for v in others]
    return Asked(pairs, f"without {listing(absent)}" if absent else "")


def _a4c_behind(figures: RunFigures) -> Asked:
    a4c, plax, psax = (figures.get(SEVERITY, MAIN, v, "f1") for v in ("A4C", "PLAX", "PSAX-P"))
    pairs = [Pair("f1", ("PSAX-P", "A4C"), psax, a4c), Pair("f1", ("PLAX", "A4C"), plax, a4c)]
    near, far = abs(psax.mean - plax.mean), abs(plax.mean - a4c.mean)
    aside = f"PLAX is {number(near)} from PSAX-P and {number(far)} from A4C"
    return Asked(pairs, aside, near < far)


def _more_views(figures: RunFigures) -> Asked:
    views = [v for v in SINGLE if figures.has(SEVERITY, MAIN, v)]
    if not views:
        raise LackingError(f"the run has no single view of {SEVERITY}, {MAIN}")
    pairs = []
    for metric in JUDGED:
        many, three = (figures.get(SEVERITY, MAIN, v, metric) for v in ("MV-All", "MV-3"))
        pairs.append(Pair(metric, ("MV-All", "MV-3"), many, three))
        for view in views:
            one = figures.get(SEVERITY, MAIN, view, metric)
            pairs.append(Pair(metric, ("MV-3", view), three, one))
            pairs.append(Pair(metric, ("MV-All", view), many, one))
    return Asked(pairs)


def _binary_easier(figures: RunFigures) -> Asked:
    both = [v for v in (*SINGLE, *SETS) if all(figures.has(t, MAIN, v) for t in (SEVERITY, BINARY))]
    if not both:
        raise LackingError(f"the run has no row of both {SEVERITY} and {BINARY}, {MAIN}")
    pairs = [
        Pair(
            "f1",
            (f"{view} {BINARY}", f"{view} {SEVERITY}"),
            figures.get(BINARY, MAIN, view, "f1"),
            figures.get(SEVERITY, MAIN, view, "f1"),
        )
        for view in both
    ]
    return Asked(pairs, f"ahead in {_ahead(pairs)}")


def _ahead(pairs: list[Pair]) -> str:
    return f"{sum(pair.high.mean > pair.low.mean for pair in pairs)} of {plural(len(pairs), 'row')}"


def _time_helps(figures: RunFigures) -> Asked:
    views = _of_both_approaches(figures, SEVERITY)
    if not views:
        raise LackingError(f"the run has no row of both {MAIN} and {SPATIAL}, {SEVERITY}")
    pairs = [_mean_lead(figures, SEVERITY, views, metric) for metric in JUDGED]
    asides = [f"{SEVERITY}: {_row_by_row(figures, SEVERITY, views)}"]
    if binary := _of_both_approaches(figures, BINARY):
        asides.append(f"{BINARY}: {_row_by_row(figures, BINARY, binary)}")
    return Asked(pairs, "; ".join(asides))


def _of_both_approaches(figures: RunFigures, task: str) -> list[str]:
    places = (*SINGLE, *SETS)
    return [v for v in places if all(figures.has(task, a, v) for a in (MAIN, SPATIAL))]


def _mean_lead(figures: RunFigures, task: str, views: list[str], metric: str) -> Pair:
    high, low = (figures.mean(task, approach, views, metric) for approach in (MAIN, SPATIAL))
    difference = figures.difference(task, MAIN, SPATIAL, views, metric)
    names = (f"{MAIN} in the mean of {plural(len(views), 'row')}", SPATIAL)
    return Pair(metric, names, high, low, difference=difference)


def _row_by_row(figures: RunFigures, task: str, views: list[str]) -> str:
    """In how many rows F1 is ahead, and the mean lead."""
    pairs = [_mean_lead(figures, task, [view], "f1") for view in views]
    mean = _mean_lead(figures, task, views, "f1")
    lead = f"a lead in F1-score of {signed(mean.high.mean - mean.low.mean)} in the mean"
    if mean.difference and mean.difference.ci95:
        low, high = mean.difference.ci95
        lead += f" ({signed(low)} to {signed(high)} on the same patients)"
    return f"ahead in {_ahead(pairs)}, {lead}"


def _wrong_less_sure(figures: RunFigures) -> Asked:
    kinds = ("confidence_correct", "confidence_wrong")
    pairs = []
    for task in (SEVERITY, BINARY):
        for view in (*SINGLE, *SETS):
            right, wrong = (figures.find(task, MAIN, view, kind) for kind in kinds)
            if right and wrong:
                row = f"{view} {task}"
                pairs.append(Pair("confidence", ("right", "wrong"), right, wrong, row))
    if not pairs:
        raise LackingError(f"no row of {MAIN} has a confidence of correct and of wrong predictions")
    sure = [pair.surely() for pair in pairs]
    aside = f"wrong ones less confident in {_ahead(pairs)}"
    return Asked(
        pairs, aside if None in sure else f"{aside}, beyond noise in {sum(map(bool, sure))}"
    )


FINDINGS: Mapping[str, tuple[str, Callable[[RunFigures], Asked], bool]] = {
    "best-view": ("PSAX-P is the best single view for severity", _best_view, False),
    "a4c-behind": ("PLAX is near PSAX-P, and A4C behind both", _a4c_behind, False),
    "more-views": (
        "More views help: MV-All reaches at least MV-3, and both at least every single view",
        _more_views,
        True,
    ),
    "binary-easier": ("Detecting PH is easier than grading it", _binary_easier, False),
    "time-helps": (
        "Time helps in severity: spatio-temporal is ahead of spatial, in the mean over the same "
        "views and sets",
        _time_helps,
        False,
    ),
    "wrong-less-sure": (
        "Wrong predictions are less confident, in every view and set",
        _wrong_less_sure,
        False,
    ),
}
"""Name -> (the paper's finding, how it is asked of figures, whether a tie agrees)."""
