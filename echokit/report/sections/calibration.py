"""Calibration, as the run's page shows it, from `calibration.json` alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from echokit.evaluation.rows import CalibrationRow, ConfidenceFigures
from echokit.report.charts.calibration import (
    coverage,
    coverage_words,
    read_coverage,
    read_reliability,
    reliability,
    reliability_words,
)
from echokit.report.charts.chart import Chart
from echokit.report.charts.figure import to_svg
from echokit.report.results import Results
from echokit.report.words import listing, mean, mean_sd, number, plural

BEFORE, AFTER, VOTE = "c0", "c2", "c2"
"""Colours of a line: as the network says, with its temperature; of the vote."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the probabilities and confidences of one view or view set are worth."""

    views: str
    is_set: bool
    people: str
    temperature: str
    before: tuple[str, str, str]
    """Calibration error, what chance would show, Brier score."""
    after: tuple[str, str, str]
    """The same with the temperature; en dashes without."""
    vote: tuple[str, str]
    """Calibration error of the vote's confidence, what chance would show."""
    right: tuple[str, ...]
    """Share that is right of all, of the surest 90 % and 80 %, and the area with its baseline."""


@dataclass(frozen=True, slots=True)
class Sets:
    """How often label sets of one view or view set held the true label, at one level."""

    views: str
    is_set: bool
    asked: str
    reached: str
    by_label: str
    size: str
    single: str
    single_right: str
    empty: str
    calibrated: str


@dataclass(frozen=True, slots=True)
class Approach:
    """One approach to a task."""

    name: str
    sentences: tuple[str, ...]
    lines: tuple[Line, ...]
    sets: tuple[Sets, ...]
    reliability: tuple[Chart, ...]
    coverage: tuple[Chart, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The section of the page."""

    tasks: tuple[tuple[str, tuple[Approach, ...]], ...]
    notes: tuple[str, ...]


def calibration_view(results: Results) -> Calibration | None:
    """The section, or None where the run has no figure of it."""
    rows = results.calibration.get("rows") or ()
    if not rows:
        return None
    tasks: dict[str, dict[str, list[CalibrationRow]]] = {}
    for row in rows:
        tasks.setdefault(str(row["task"]), {}).setdefault(str(row["approach"]), []).append(row)
    return Calibration(
        tasks=tuple(
            (task, tuple(_approach(name, own, results) for name, own in approaches.items()))
            for task, approaches in tasks.items()
        ),
        notes=tuple(map(str, results.calibration.get("notes") or ())),
    )


def _approach(name: str, rows: list[CalibrationRow], results: Results) -> Approach:
    sets = [row for row in rows if results.is_set(str(row["views"]))] or rows
    return Approach(
        name=name,
        sentences=(
            *(sentence for row in sets for sentence in _sentences(row)),
            *raised_by_temperature(rows),
        ),
        lines=tuple(_line(row, results) for row in rows),
        sets=tuple(one for row in rows for one in _label_sets(row, results)),
        reliability=tuple(_reliability(row) for row in rows),
        coverage=tuple(_coverage(row) for row in rows),
    )


def _people(row: CalibrationRow) -> str:
    patients = plural(int(row["n_subjects"]), "patient")
    if row["n_predictions"] == row["n_subjects"]:
        return patients
    return f"{row['n_predictions']} predictions on {patients}"


def _sentences(row: CalibrationRow) -> Iterable[str]:
    """One row in plain words."""
    raw, views = row["raw"], row["views"]
    stated = sum(one["confidence"] * one["n"] for one in raw["reliability"]) / row["n_predictions"]
    right = sum(one["accuracy"] * one["n"] for one in raw["reliability"]) / row["n_predictions"]
    yield (
        f"{views}: mean probability of the predicted label {number(stated)}, observed accuracy "
        f"{number(right)} ({_people(row)}). Calibration error {number(raw['ece']['pooled'])}; by "
        f"chance {number(raw['ece_by_chance'])}."
    )
    for one in (row.get("conformal") or ())[:1]:
        single = f"{number(one['single'])} of the sets had a single label"
        if one["single_right"] is not None:
            single += f", correct in {number(one['single_right'])} of these"
        yield (
            f"{views}: prediction sets with target coverage {_percent(one['level'])} had observed "
            f"coverage {number(one['coverage'])} ({_people(row)}); {single}."
        )


def raised_by_temperature(rows: Iterable[CalibrationRow]) -> Iterator[str]:
    """Where a temperature makes the calibration error larger as printed, in a sentence.

    Args:
        rows: of calibration.json, of one task and approach.
    """
    errors = [
        (row["views"], number(row["raw"]["ece"]["pooled"]), number(warm["ece"]["pooled"]))
        for row in rows
        if (warm := row.get("tempered"))
    ]
    worse = [f"{views} ({before} to {after})" for views, before, after in errors if after > before]
    if worse:
        yield (
            f"Temperature scaling raises the calibration error in {len(worse)} of {len(errors)} "
            f"rows: {listing(worse)}."
        )


def _line(row: CalibrationRow, results: Results) -> Line:
    selective, warm = row["selective"], row.get("tempered")
    at = selective["at"]
    area = f"{number(mean(selective['aurc']))} / {number(selective['error'])}"
    return Line(
        views=str(row["views"]),
        is_set=results.is_set(str(row["views"])),
        people=_people(row),
        temperature=mean_sd(warm["temperature"]) if warm else "–",
        before=(*_errors(row["raw"]), mean_sd(row["raw"].get("brier"))),
        after=(*_errors(warm), mean_sd(warm.get("brier"))) if warm else ("–", "", "–"),
        vote=_errors(row["vote"]),
        right=(number(1 - selective["error"]), number(at["0.9"]), number(at["0.8"]), area),
    )


def _errors(figures: ConfidenceFigures) -> tuple[str, str]:
    """Calibration error, and what chance would show."""
    return number(figures["ece"]["pooled"]), f"by chance {number(figures['ece_by_chance'])}"


def _label_sets(row: CalibrationRow, results: Results) -> Iterable[Sets]:
    for one in row.get("conformal") or ():
        each = [f"{label} {number(share)}" for label, share in one["coverage_by_label"].items()]
        how = "each label by itself" if one["by_label"] else "all labels together"
        yield Sets(
            views=str(row["views"]),
            is_set=results.is_set(str(row["views"])),
            asked=number(one["level"]),
            reached=number(one["coverage"]),
            by_label=" · ".join(each),
            size=number(one["size"], 1),
            single=number(one["single"]),
            single_right=number(one["single_right"]),
            empty=number(one["empty"]),
            calibrated=f"{one['n_calibration']}, {how}",
        )


def _reliability(row: CalibrationRow) -> Chart:
    views, warm = str(row["views"]), row.get("tempered")
    lines = [read_reliability("uncalibrated", BEFORE, row["raw"]["reliability"])]
    if warm:
        lines.append(read_reliability("temperature scaling", AFTER, warm["reliability"]))
    drawing = to_svg(reliability(lines), reliability_words(lines, views))
    return Chart(views, _people(row), drawing, tuple((one.series, one.name) for one in lines))


def _coverage(row: CalibrationRow) -> Chart:
    views = str(row["views"])
    lines = [
        read_coverage("by probability", BEFORE, row["selective"]),
        read_coverage("by agreement", VOTE, row["vote"]["selective"]),
    ]
    drawing = to_svg(coverage(lines), coverage_words(lines, views))
    return Chart(views, _people(row), drawing, tuple((one.series, one.name) for one in lines))


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
