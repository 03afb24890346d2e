"""The figures that tables are made of: a run's own, and those of a publication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from echokit.errors import RecipeError
from echokit.report.words import METRICS, listing, number


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric of one row."""

    mean: float
    """In [0, 1]."""
    sd: float | None = None
    """Over splits; None where there are fewer than two."""
    ci95: tuple[float, float] | None = None
    """Interval over resampled subjects."""
    best: bool = False
    """No figure of its column and task is higher, as printed."""

    def __str__(self) -> str:
        """As the paper prints it: `0.84±0.06`."""
        return number(self.mean) + (f"±{number(self.sd)}" if self.sd is not None else "")

    @property
    def interval(self) -> str:
        """`0.78–0.90`; an en dash without one."""
        return f"{number(self.ci95[0])}–{number(self.ci95[1])}" if self.ci95 else "–"


Key = tuple[str, str, str]
"""(task, approach, view or view set)."""
Figures = Mapping[str, Figure]
"""Metric -> figure."""


@dataclass(frozen=True, slots=True)
class Published:
    """A publication's own figures."""

    source: str
    figures: Mapping[Key, Figures]
    """In the order in which they are printed."""
    follow_up: str = ""
    """What the authors found later, and what it asks of a report, as a sentence; or nothing."""


def published_figures(recipe: Mapping[str, Any]) -> Published | None:
    """The figures of a recipe's `[published]`, or None where it has none.

    Raises:
        RecipeError: they are not pairs of a mean and a deviation, one for each column.
    """
    table = recipe.get("published")
    if table is None:
        return None
    try:
        figures = {
            (task, approach, views): {
                metric: Figure(float(mean), float(sd))
                for metric, (mean, sd) in zip(table["columns"], row, strict=True)
            }
            for task, approaches in table["rows"].items()
            for approach, rows in approaches.items()
            for views, row in rows.items()
        }
        return Published(str(table["source"]), figures, _follow_up(table.get("follow_up")))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RecipeError(
            f"[published] is not a table of figures ({type(error).__name__}: {error}). "
            "Mend it in the run's recipe.toml, or take it out."
        ) from error


def _follow_up(later: Mapping[str, Any] | None) -> str:
    if not later:
        return ""
    metric = METRICS.get(later["metric"], later["metric"])
    fell = listing(
        f"from {number(float(of['cross_validation']))} in cross-validation to "
        f"{number(float(of['held_out']))} on held-out patients ({task})"
        for task, of in later["tasks"].items()
    )
    return (
        f"Why every figure here is of held-out patients, with its interval: the authors' own "
        f"{metric} fell {fell} in their follow-up ({later['source']})"
    )


def own_figure(cell: Mapping[str, Any] | None) -> Figure | None:
    """A cell of metrics.json, or None where there is no figure."""
    if not cell or cell.get("mean") is None:
        return None
    ends = cell.get("ci95")
    return Figure(float(cell["mean"]), cell.get("sd"), (ends[0], ends[1]) if ends else None)
