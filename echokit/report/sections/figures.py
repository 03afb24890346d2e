"""The figures of one task, as the run's page shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from echokit.evaluation.metric_names import ARGUED, HEADLINE, NAMES, REPORTED
from echokit.report.charts.chart import Chart
from echokit.report.charts.confusion import confusion_chart, confusion_words
from echokit.report.charts.curves import roc, roc_words, training, training_words
from echokit.report.charts.figure import to_svg
from echokit.report.charts.forest import forest, gauge
from echokit.report.charts.svg import colour
from echokit.report.documents import Json
from echokit.report.judged import Judged, confusion, curves, judged
from echokit.report.results import History, Results
from echokit.report.words import (
    guess_f1,
    interval,
    is_best,
    listing,
    mean,
    mean_sd,
    number,
    plural,
)

ALL_VIEWS = "all"
"""Stands in a view's place where one network judges the clips of all views."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One headline figure."""

    name: str
    value: str
    interval: str
    gauge: Markup
    note: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of the metrics table."""

    value: str
    interval: str
    best: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the metrics table."""

    views: str
    is_set: bool
    cells: tuple[Cell, ...]
    subjects: int | None
    predictions: int | None


@dataclass(frozen=True, slots=True)
class Approach:
    """What one approach reached."""

    name: str
    lines: tuple[Line, ...]
    groups: tuple[Judged, ...]
    """Held-out predictions of each view and view set."""
    matrices: tuple[Chart, ...]
    rocs: tuple[Chart, ...]
    courses: tuple[Chart, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """What a run reached in one task."""

    name: str
    classes: tuple[str, ...]
    best: str
    """The row of the headline, in words."""
    verdict: str
    tiles: tuple[Tile, ...]
    approaches: tuple[Approach, ...]
    forests: tuple[tuple[str, Markup], ...]
    """(metric's heading, drawing)."""
    notes: tuple[str, ...]


def task_figures(results: Results, task: str) -> Task:
    """Gather everything that a run says of one task."""
    rows = [row for row in results.rows if row["task"] == task]
    classes = results.classes(task)
    groups: list[Judged] = []
    if results.predictions is not None and classes:
        groups = list(judged(results.predictions, task, classes))
    names = tuple(dict.fromkeys(str(row["approach"]) for row in rows))
    names = tuple(sorted(names, key=lambda name: name != "spatio-temporal"))
    best = _best(results, rows)
    mine = next((g for g in groups if best and _same(g, best)), None)
    return Task(
        name=task,
        classes=classes,
        best=f"{best['views']}, {best['approach']}" if best and len(rows) > 1 else "",
        verdict=_verdict(best, mine),
        tiles=tuple(_tiles(best, mine, len(classes))) if best else (),
        approaches=tuple(_approach(name, results, rows, groups, task) for name in names),
        forests=tuple((NAMES[m].heading, forest(rows, m, names)) for m in ARGUED if len(rows) > 1),
        notes=tuple(_notes(rows)),
    )


def _same(group: Judged, row: Json) -> bool:
    return (group.views, group.approach) == (row["views"], row["approach"])


def _best(results: Results, rows: Sequence[Json]) -> Json | None:
    """The view set of the highest F1-score; of single views where there is no set."""
    scored = [row for row in rows if mean(row.get("f1")) is not None]
    sets = [row for row in scored if results.is_set(str(row["views"]))]
    return max(sets or scored, key=lambda row: mean(row["f1"]) or 0.0, default=None)


def _verdict(row: Json | None, group: Judged | None) -> str:
    if row is None:
        return "No figure yet."
    who = "One network for all views" if row["views"] == ALL_VIEWS else row["views"]
    f1 = f"F1-score {number(mean(row['f1']))}"
    if row["f1"].get("ci95"):
        f1 += f" (95 % interval {interval(row['f1'])})"
    if group is None:
        return f"{who}: {f1} on held-out patients."
    counts = Counter(group.truth.tolist())
    guess = guess_f1({str(k): n for k, n in counts.items()})
    above = (mean(row["f1"]) or 0.0) - guess
    low = (row["f1"].get("ci95") or [None])[0]
    compared = "better than" if above > 0.02 else "no better than"
    compared = "worse than" if above < -0.02 else compared
    if above > 0.02 and low is not None and low <= guess:
        compared = "not clearly better than"
    patients = "held-out patients" if group.level == "subject" else "clips of held-out patients"
    total, over = len(group.truth), ""
    if group.splits > 1:
        patients = "predictions on held-out patients"
        over = f" ({plural(group.patients, 'patient')} over {group.splits} splits)"
    return (
        f"{who}: correct in {group.right} of {total} {patients}{over}, "
        f"{group.right / total * 100:.0f} %. {f1}, {compared} predicting the commonest label for "
        f"everyone ({number(guess)})."
    )


def _tiles(row: Json, group: Judged | None, classes: int) -> Iterable[Tile]:
    guesses: dict[str, float | None] = {"auroc": 0.5, "f1": None}
    guesses["balanced_accuracy"] = 1 / classes if classes else None
    if group is not None:
        guesses["f1"] = guess_f1({str(k): n for k, n in Counter(group.truth.tolist()).items()})
    people = plural(int(row["n_subjects"]), "held-out patient") if row.get("n_subjects") else ""
    for metric in HEADLINE:
        cell = row.get(metric)
        if mean(cell) is None or cell is None:
            yield Tile(
                NAMES[metric].heading, "–", "not computable: a label has no patient", Markup(), ""
            )
            continue
        said = f"95 % interval {interval(cell)}" if cell.get("ci95") else "no interval"
        guess = guesses[metric]
        note = people if guess is None else f"{people} · guessing {number(guess)}"
        yield Tile(NAMES[metric].heading, mean_sd(cell), said, gauge(cell, guess), note)


def _approach(
    name: str, results: Results, rows: list[Any], groups: Sequence[Judged], task: str
) -> Approach:
    mine = [group for group in groups if group.approach == name]
    histories: dict[str, list[History]] = {}
    for history in results.histories:
        if (history.task, history.approach) == (task, name) and history.epochs:
            histories.setdefault(history.view, []).append(history)
    order = [str(row["views"]) for row in rows]
    views = sorted(histories, key=lambda view: order.index(view) if view in order else len(order))
    return Approach(
        name=name,
        lines=tuple(_line(results, row, rows) for row in rows if row["approach"] == name),
        groups=tuple(mine),
        matrices=tuple(_matrix(group) for group in mine),
        rocs=tuple(_roc(group) for group in mine),
        courses=tuple(_course(view, histories[view]) for view in views),
    )


def _line(results: Results, row: Json, rows: Sequence[Json]) -> Line:
    def best(metric: str) -> bool:
        """Confidence is no merit in itself, so none is the best."""
        values = [mean(other.get(metric)) for other in rows]
        return metric != "confidence" and is_best(mean(row.get(metric)), values)

    return Line(
        views=str(row["views"]),
        is_set=results.is_set(str(row["views"])),
        cells=tuple(
            Cell(mean_sd(row.get(metric)), interval(row.get(metric)), best(metric))
            for metric in REPORTED
        ),
        subjects=row.get("n_subjects"),
        predictions=row.get("n_predictions"),
    )


def _matrix(group: Judged) -> Chart:
    table = confusion(group)
    words = confusion_words(table, group.classes, group.views)
    drawing = to_svg(confusion_chart(table, group.classes), words)
    return Chart(group.views, group.people, drawing)


def _roc(group: Judged) -> Chart:
    found = curves(group)
    legend = [
        (colour(group.classes.index(c.label), len(group.classes)), f"{c.label} {number(c.area)}")
        for c in found
    ]
    absent = [label for label in group.classes if label not in {c.label for c in found}]
    if len(group.classes) == 2 and found:
        absent = []
    note = group.people + (f"; no curve for {listing(absent)}" if absent else "")
    drawing = to_svg(roc(found, group.classes), roc_words(found, group.views))
    return Chart(group.views, note, drawing, tuple(legend))


def _course(view: str, histories: Sequence[History]) -> Chart:
    ends = [h.epochs[-1].get("accuracy") for h in histories]
    known = [float(value) for value in ends if value is not None]
    said = f"last accuracy in training {number(sum(known) / len(known))}" if known else ""
    over = plural(len(histories), "split")
    drawing = to_svg(training(histories), training_words(histories))
    return Chart(view, f"{over}; {said}" if said else over, drawing)


def _notes(rows: Sequence[Json]) -> Iterable[str]:
    """Why a deviation or an interval is absent, and whose a row of all views is."""
    if any(row["views"] == ALL_VIEWS for row in rows):
        yield f"“{ALL_VIEWS}”: one network for all views predicts each clip by itself."
    cells = [row[m] for row in rows for m in REPORTED if isinstance(row.get(m), dict)]
    splits = {row.get("n_splits") for row in rows}
    if any(cell.get("sd") is None for cell in cells):
        if splits == {1}:
            yield "No standard deviation (±): it is taken over splits, and this run has one."
        else:
            yield "Where ± is absent, fewer than two splits gave the figure."
    if any(cell.get("ci95") is None for cell in cells):
        yield "“–”: no interval was computed."
    if any(row.get("auroc") is None for row in rows):
        yield "No AUROC where a label has no held-out patient in a split."
