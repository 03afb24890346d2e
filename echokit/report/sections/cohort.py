"""The cohort as the run's page shows it: who is in it, who was left out, who is held out where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from echokit.report.documents import Json
from echokit.report.results import Results, split_columns, split_number
from echokit.report.words import listing, plural


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Clips of one task by label and view."""

    task: str
    views: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[int, ...]], ...]
    """(label, patients, clips of each view)."""
    dropped: int


@dataclass(frozen=True, slots=True)
class Person:
    """One patient: labels, clips, and the splits in which it is held out."""

    name: str
    labels: tuple[str, ...]
    clips: tuple[tuple[str, str], ...]
    """(view, clip)."""
    held_out: tuple[str, ...]
    """For each task with splits: numbers of the splits, in words."""


@dataclass(frozen=True, slots=True)
class CohortView:
    """Everything the page says of the cohort."""

    counts: tuple[tuple[str, str], ...]
    """(figure, what it counts)."""
    labels: tuple[LabelTable, ...]
    dropped: tuple[str, ...]
    """For each task that leaves clips out by their label: how many, and why."""
    rejected: tuple[tuple[str, str, str], ...]
    """(clip or file, view, reason)."""
    reasons: tuple[tuple[str, int], ...]
    tasks: tuple[str, ...]
    """Tasks that have a column of labels."""
    held_tasks: tuple[str, ...]
    """Tasks that have splits; '' where all share them."""
    people: tuple[Person, ...]
    method: str
    leaks: tuple[str, ...]
    """Patients found on both sides of a split; there must be none."""
    checked: int
    """How many splits were checked for such patients."""


def cohort_view(results: Results) -> CohortView | None:
    """Gather what run.json and cohort.csv say; None where neither is there."""
    summary = results.run.get("cohort") or {}
    table = results.cohort
    if not summary and table is None:
        return None
    table = pd.DataFrame() if table is None else table
    used = table[table["status"] == "used"] if len(table) else table
    rejected = table[table["status"] != "used"] if len(table) else table
    splits = split_columns(table)
    tasks = _label_tasks(table)
    leaks, checked = _leaks(used, splits)
    return CohortView(
        counts=_counts(summary, used, rejected),
        labels=tuple(_labels(results, used, task) for task in tasks),
        dropped=tuple(_dropped(summary.get("dropped") or {})),
        rejected=tuple(
            (str(r.clip), str(r.view), str(r.reason)) for r in rejected.itertuples(index=False)
        ),
        reasons=tuple(Counter(rejected["reason"]).most_common()) if len(rejected) else (),
        tasks=tuple(tasks),
        held_tasks=tuple(splits),
        people=tuple(_people(used, tasks, splits)),
        method=_method(results),
        leaks=leaks,
        checked=checked,
    )


def _label_tasks(table: pd.DataFrame) -> list[str]:
    return [str(c).removesuffix("_label") for c in table.columns if str(c).endswith("_label")]


def _counts(
    summary: dict[str, object], used: pd.DataFrame, rejected: pd.DataFrame
) -> tuple[tuple[str, str], ...]:
    patients = used["patient"].nunique() if len(used) else summary.get("patients", "–")
    clips = len(used) if len(used) else summary.get("clips", "–")
    refused = len(rejected) if len(used) else summary.get("rejected", "–")
    views = used["view"].nunique() if len(used) else len(summary.get("views") or ())  # type: ignore[arg-type]
    return (
        (str(patients), "patients"),
        (str(clips), "clips in use"),
        (str(views), "views"),
        (str(refused), "clips or files excluded"),
    )


def _labels(results: Results, used: pd.DataFrame, task: str) -> LabelTable:
    column = used[f"{task}_label"]
    known = list(results.classes(task)) or sorted(set(column) - {""})
    views = tuple(dict.fromkeys(used["view"]))
    rows = []
    for label in known:
        mine = used[column == label]
        rows.append(
            (
                label,
                int(mine["patient"].nunique()),
                tuple(int((mine["view"] == v).sum()) for v in views),
            )
        )
    return LabelTable(task, views, tuple(rows), int((column == "").sum()))


def _dropped(counts: Json) -> Iterator[str]:
    for task, reasons in counts.items():
        if isinstance(reasons, Mapping):
            said = "; ".join(f"{n} × {reason}" for reason, n in reasons.items() if n)
        else:
            said = plural(int(reasons), "clip") if reasons else ""
        if said:
            yield f"{task}: {said}"


def _people(used: pd.DataFrame, tasks: list[str], splits: dict[str, list[str]]) -> list[Person]:
    result = []
    for patient, clips in used.groupby("patient", sort=True) if len(used) else ():
        labels = tuple(listing(sorted(set(clips[f"{t}_label"]) - {""}) or ["–"]) for t in tasks)
        held = tuple(
            ", ".join(split_number(c) for c in columns if (clips[c] == "test").any()) or "never"
            for columns in splits.values()
        )
        pairs = tuple(zip(clips["view"].astype(str), clips["clip"].astype(str), strict=True))
        result.append(Person(str(patient), labels, pairs, held))
    return result


def _leaks(used: pd.DataFrame, splits: dict[str, list[str]]) -> tuple[tuple[str, ...], int]:
    found: set[str] = set()
    columns = [column for group in splits.values() for column in group]
    for column in columns:
        sides = used[used[column] != ""].groupby("patient")[column].nunique()
        found |= {str(name) for name in sides[sides > 1].index}
    return tuple(sorted(found)), len(columns)


def _method(results: Results) -> str:
    said = results.run.get("splits") or {}
    if not said.get("method"):
        return ""
    share = said.get("held_out")
    part = f", {share * 100:.0f} % of the patients held out" if isinstance(share, float) else ""
    return (
        f"{plural(int(said.get('n') or 0), 'split')} by patient, method “{said['method']}”{part}."
    )
