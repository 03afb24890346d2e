"""How far to trust a figure, as the run's page shows it, from `calibration.json` alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
from echokit.report.words import listing, mean_sd, number, plural

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
    tasks: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        tasks.setdefault(str(row["task"]), {}).setdefault(str(row["approach"]), []).append(row)
    return Calibration(
        tasks=tuple(
            (task, tuple(_approach(name, own, results) for name, own in approaches.items()))
            for task, approaches in tasks.items()
        ),
        notes=tuple(map(str, results.calibration.get("notes") or ())),
    )


def _approach(name: str, rows: list[Mapping[str, Any]], results: Results) -> Approach:
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


def _people(row: Mapping[str, Any]) -> str:
    patients = plural(int(row["n_subjects"]), "patient")
    if row["n_predictions"] == row["n_subjects"]:
        return patients
    return f"{row['n_predictions']} predictions on {patients}"


def _sentences(row: Mapping[str, Any]) -> Iterable[str]:
    """One row in plain words."""
    raw, views = row["raw"], row["views"]
    stated = sum(one["confidence"] * one["n"] for one in raw["reliability"]) / row["n_predictions"]
    right = sum(one["accuracy"] * one["n"] for one in raw["reliability"]) / row["n_predictions"]
    yield (
        f"{views}: on average the most probable label is given {number(stated)}, and it is the "
        f"true one for {number(right)} of {_people(row)}. The calibration error is "
        f"{number(raw['ece']['pooled'])}; by chance alone perfectly honest probabilities would "
        f"show {number(raw['ece_by_chance'])}."
    )
    for one in (row.get("conformal") or ())[:1]:
        single = f"{number(one['single'])} had a single label"
        if one["single_right"] is not None:
            single += f", right in {number(one['single_right'])} of these"
        yield (
            f"{views}: at {_percent(one['level'])} asked, the sets held the true label for "
            f"{number(one['coverage'])} of {_people(row)}; {single}."
        )


def raised_by_temperature(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Where a temperature makes the calibration error larger as printed, in a sentence.

    Args:
        rows: of calibration.json, of one task and approach.
    """
    tempered = [row for row in rows if row.get("tempered")]
    worse = [
        f"{row['views']} ({number(before)} to {number(after)})"
        for row in tempered
        for before, after in [(row["raw"]["ece"]["pooled"], row["tempered"]["ece"]["pooled"])]
        if number(after) > number(before)
    ]
    if worse:
        yield (
            f"The temperature raises the calibration error in {len(worse)} of {len(tempered)} "
            f"rows: {listing(worse)}."
        )


def _line(row: Mapping[str, Any], results: Results) -> Line:
    selective, warm = row["selective"], row.get("tempered")
    at = selective["at"]
    area = f"{number(selective['aurc']['mean'])} / {number(selective['error'])}"
    return Line(
        views=str(row["views"]),
        is_set=results.is_set(str(row["views"])),
        people=_people(row),
        temperature=mean_sd(warm["temperature"]) if warm else "–",
        before=_errors(row["raw"]),
        after=_errors(warm) if warm else ("–", "", "–"),
        vote=_errors(row["vote"])[:2],
        right=(number(1 - selective["error"]), number(at["0.9"]), number(at["0.8"]), area),
    )


def _errors(judged: Mapping[str, Any]) -> tuple[str, str, str]:
    chance = f"by chance {number(judged['ece_by_chance'])}"
    return number(judged["ece"]["pooled"]), chance, mean_sd(judged.get("brier"))


def _label_sets(row: Mapping[str, Any], results: Results) -> Iterable[Sets]:
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


def _reliability(row: Mapping[str, Any]) -> Chart:
    views, warm = str(row["views"]), row.get("tempered")
    lines = [read_reliability("as stated", BEFORE, row["raw"]["reliability"])]
    if warm:
        lines.append(read_reliability("with temperature", AFTER, warm["reliability"]))
    drawing = to_svg(reliability(lines), reliability_words(lines, views))
    return Chart(views, _people(row), drawing, tuple((one.series, one.name) for one in lines))


def _coverage(row: Mapping[str, Any]) -> Chart:
    views = str(row["views"])
    lines = [
        read_coverage("by probability", BEFORE, row["selective"]),
        read_coverage("by confidence of the vote", VOTE, row["vote"]["selective"]),
    ]
    drawing = to_svg(coverage(lines), coverage_words(lines, views))
    return Chart(views, _people(row), drawing, tuple((one.series, one.name) for one in lines))


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
