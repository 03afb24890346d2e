"""Figures at each label: sensitivity, specificity, predictive values, and patients by label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from echokit.evaluation.metric_names import LABEL_NAMES
from echokit.report.charts.chart import Chart
from echokit.report.charts.confusion import confusion_chart, confusion_words
from echokit.report.charts.figure import to_svg
from echokit.report.documents import Json
from echokit.report.words import interval, mean_sd, plural


@dataclass(frozen=True, slots=True)
class LabelLine:
    """The figures at one label."""

    label: str
    cells: tuple[tuple[str, str], ...]
    """(figure, interval) of each of `LABEL_NAMES`."""


@dataclass(frozen=True, slots=True)
class LabelBlock:
    """The figures of one view or view set."""

    approach: str
    views: str
    kappa: str
    """Quadratically weighted kappa with its interval, in words; empty where there is none."""
    lines: tuple[LabelLine, ...]
    matrix: Chart
    """Patients by true and predicted label."""


def label_view(rows: Sequence[Json], task: str) -> tuple[LabelBlock, ...]:
    """Gather the figures at each label of one task; empty for a run made before they existed.

    Args:
        rows: those of `metrics.json` or `external.json`.
        task: the task.
    """
    return tuple(_blocks([row for row in rows if row["task"] == task]))


def _blocks(rows: Sequence[Json]) -> Iterator[LabelBlock]:
    several = len({row["approach"] for row in rows}) > 1
    for row in rows:
        if row.get("by_label") and row.get("confusion"):
            kappa = row.get("kappa")
            yield LabelBlock(
                approach=str(row["approach"]) if several else "",
                views=str(row["views"]),
                kappa=f"{mean_sd(kappa)} ({interval(kappa)})" if kappa else "",
                lines=tuple(
                    LabelLine(
                        str(at["label"]),
                        tuple((mean_sd(at.get(m)), interval(at.get(m))) for m in LABEL_NAMES),
                    )
                    for at in row["by_label"]
                ),
                matrix=_matrix(row),
            )


def _matrix(row: Json) -> Chart:
    table, classes = np.array(row["confusion"], float), tuple(map(str, row["classes"]))
    drawing = to_svg(
        confusion_chart(table, classes), confusion_words(table, classes, str(row["views"]))
    )
    return Chart(str(row["views"]), plural(int(row["n_subjects"]), "patient"), drawing)
