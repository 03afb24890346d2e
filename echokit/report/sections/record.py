"""How well the networks of a study's views did on patients whom they did not learn from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from echokit.report.documents import Json
from echokit.report.words import interval, mean, number

KINDS = {
    "held-out": "held-out patients of the same cohort",
    "external": "patients of another cohort",
}


@dataclass(frozen=True, slots=True)
class RecordRow:
    """The figures of one view, or set of views, on one kind of patients."""

    views: str
    patients: str
    """Who they were, and how many."""
    f1: str
    """Class-weighted F1-score with its 95 % interval."""
    balanced_accuracy: str
    is_exact: bool
    """Whether it is of exactly the views that were used."""


def record_of_views(
    record: Iterable[Json], used: Sequence[str]
) -> tuple[tuple[RecordRow, ...], bool]:
    """Select the rows of a record that concern the views of a study.

    Args:
        record: the rows of `record` in prediction.json.
        used: the views that voted.

    Returns:
        The rows of each view and of the set of them, and whether there is one of exactly this set.
    """
    rows, exact = [], False
    for row in record:
        members = set(map(str, row.get("members") or [row.get("views")]))
        is_exact = members == set(used)
        if not (is_exact or (len(members) == 1 and members <= set(used))):
            continue
        exact |= is_exact
        kind = str(row.get("patients"))
        rows.append(
            RecordRow(
                views=str(row.get("views")),
                patients=f"{row.get('n_subjects', '–')} {KINDS.get(kind, kind)}",
                f1=_figure(row.get("f1")),
                balanced_accuracy=_figure(row.get("balanced_accuracy")),
                is_exact=is_exact,
            )
        )
    return tuple(rows), exact


def _figure(cell: Json | None) -> str:
    return f"{number(mean(cell))} ({interval(cell)})"
