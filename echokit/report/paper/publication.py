"""The figures that tables are made of: a run's own, and those of a publication."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from echokit.errors import RecipeError
from echokit.evaluation.metric_names import NAMES
from echokit.recipe import load_recipe
from echokit.recipe.published import (
    FollowUp,
    Published,
    PublishedFigure,
    PublishedFinding,
    PublishedTable,
)
from echokit.report.documents import Json
from echokit.report.words import listing, number


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
        """As papers print it: `0.84±0.06`."""
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
class Publication:
    """What a recipe says of a publication."""

    source: str
    figures: Mapping[Key, Figures]
    """Its own, in the order in which they are printed."""
    follow_up: str = ""
    """What the authors found later, and what it asks of a report, as a sentence; or nothing."""
    fall: str = ""
    """How far the authors' own figure fell from cross-validation to other patients; or nothing."""
    tables: tuple[PublishedTable, ...] = ()
    findings: tuple[PublishedFinding, ...] = ()
    pictures: tuple[PublishedFigure, ...] = ()


def publication(recipe: Json) -> Publication | None:
    """What a run's recipe says of a publication, or None where it says nothing.

    A recipe that was saved before its publication's tables, findings and pictures stood in it
    takes those of the installed recipe of its name.

    Raises:
        RecipeError: `[published]` does not validate.
    """
    table = recipe.get("published")
    if table is None:
        return None
    try:
        found = Published.model_validate(table)
    except ValidationError as error:
        one = error.errors()[0]
        where = ".".join(map(str, ("published", *one["loc"])))
        raise RecipeError(
            f"[published] is not a table of figures ({where}: {one['msg']}). "
            "Correct it in the run's recipe.toml, or take it out."
        ) from error
    if None in (found.tables, found.findings, found.figures):
        found = _completed(found, str(recipe.get("name", "")))
    figures = {
        (task, approach, views): {
            metric: Figure(mean, sd) for metric, (mean, sd) in zip(found.columns, row, strict=True)
        }
        for task, approaches in found.rows.items()
        for approach, rows in approaches.items()
        for views, row in rows.items()
    }
    return Publication(
        found.source,
        figures,
        _sentence(found.follow_up),
        fall(found.follow_up),
        found.tables or (),
        found.findings or (),
        found.figures or (),
    )


def _completed(saved: Published, name: str) -> Published:
    """The saved table with the lists that it lacks, from the installed recipe of its name."""
    try:
        installed = load_recipe(name).published
    except RecipeError:  # the recipe came from a file, or its plugin is not there any more
        return saved
    lists = ("tables", "findings", "figures")
    lacking = {
        part: getattr(installed, part, None) for part in lists if getattr(saved, part) is None
    }
    return saved.model_copy(update=lacking)


def _sentence(later: FollowUp | None) -> str:
    """What the authors' later figures ask of a report."""
    said = fall(later)
    return said and f"Why every figure here is of held-out patients, with its interval: {said}"


def fall(later: FollowUp | None) -> str:
    """How far the authors' figure fell from cross-validation to patients held out from it."""
    if later is None:
        return ""
    metric = NAMES[later.metric].heading if later.metric in NAMES else later.metric
    fell = listing(
        f"from {number(of.cross_validation)} in cross-validation to "
        f"{number(of.held_out)} on held-out patients ({task})"
        for task, of in later.tasks.items()
    )
    return f"the authors' own {metric} fell {fell} in their follow-up ({later.source})"


def own_figure(cell: Json | None) -> Figure | None:
    """A cell of metrics.json, or None where there is no figure."""
    if not cell or cell.get("mean") is None:
        return None
    ends = cell.get("ci95")
    return Figure(float(cell["mean"]), cell.get("sd"), (ends[0], ends[1]) if ends else None)
