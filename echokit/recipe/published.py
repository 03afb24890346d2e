"""The table `[published]`: the figures, tables, findings and pictures of a publication.

It has no effect on a run. The report prints it beside the run's own figures.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from echokit.errors import nearest
from echokit.recipe.tables import Strict

Axis: TypeAlias = Literal["tasks", "approaches", "views", "metrics"]

BLANKS = ("absent", "near", "far", "ahead", "surely_ahead", "lead", "limits")
"""Blanks of a finding's remark: the names of `lower` that a run lacks, the two distances of
`nearer`, the number of rows in which the higher side is ahead, the number in which it is ahead
beyond noise, the mean difference and its interval."""


class Drop(Strict):
    """The figure of one task in cross-validation, and on patients held out from it."""

    cross_validation: float
    held_out: float


class FollowUp(Strict):
    """Later figures of the same authors, which show how well the first ones generalise."""

    source: str
    """Where the figures are printed."""
    metric: str
    """Name of the metric, as in `metrics.json`."""
    tasks: dict[str, Drop]


class PublishedTable(Strict):
    """A table of the publication, which the report fills with a run's figures."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    """Name for `echokit report --table`, such as `3`."""
    label: str
    """Heading, such as `Table 3`."""
    columns: tuple[str, ...] = Field(min_length=1)
    """Names of metrics as in `metrics.json`."""
    approaches: tuple[str, ...] = ()
    """Approaches in the table; empty for all."""
    views: tuple[str, ...] = ()
    """Views and view sets in the table; empty for all."""
    follow_up: bool = False
    """Whether the authors' later figures stand below the table."""


class PublishedFinding(Strict):
    """A statement of the publication: some figures are higher than others."""

    name: str
    sentence: str
    compare: Axis
    """The kind of names in `higher` and `lower`."""
    higher: tuple[str, ...] = Field(min_length=1)
    """Names whose figures are higher than those of `lower`; a run must have all of them."""
    lower: tuple[str, ...] = Field(min_length=1)
    """Names whose figures are lower; a run must have at least one of them."""
    tasks: tuple[str, ...] = ()
    approaches: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    """The rows and metrics in which the names are compared. The list of the kind that is compared
    stays empty."""
    mean: bool = False
    """Compare means over all rows with both sides; by default compare row by row."""
    ties: bool = False
    """Whether equal figures agree with the finding."""
    nearer: tuple[str, str, str] | None = None
    """The finding also states that the first name is nearer to the second than to the third."""
    words: dict[str, str] = Field({})
    """Name of `higher` or `lower` -> words for it in the details."""
    remark: str = ""
    """Additional text of the details, with names of `BLANKS` in braces that a run fills. It is left
    out if one of them cannot be filled."""
    remark_tasks: tuple[str, ...] = ()
    """Tasks for which the remark is made; they do not affect the result of the finding."""

    @model_validator(mode="after")
    def _axes_are_complete(self) -> PublishedFinding:
        for axis in ("tasks", "approaches", "views", "metrics"):
            if (self.compare == axis) == bool(getattr(self, axis)):
                raise ValueError(
                    f"finding {self.name!r} compares {self.compare}: name the {axis} by "
                    + ("higher and lower alone" if self.compare == axis else f"{axis} = [...]")
                )
        for blank in re.findall(r"\{(.*?)\}", self.remark):
            if blank not in BLANKS:
                raise ValueError(f"remark has no blank {blank!r}: {nearest(blank, BLANKS)}")
        return self


class PublishedFigure(Strict):
    """A picture of the publication, which the report draws from a run's explained sequences."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    label: str
    """Heading, such as `Figure 2`."""
    about: str = ""
    """A sentence that says what the picture shows."""
    layout: Literal["labels", "beat"]
    """`labels`: a row for each label of a view, the frame at `phases[0]` and its saliency.
    `beat`: one sequence of each task and approach, a column for each phase, saliency below."""
    phases: tuple[Literal["systole", "diastole", "middle"], ...] = Field(min_length=1)
    views: tuple[str, ...] = ()
    """Views to draw, `labels`, or to prefer, `beat`; empty for all."""


class Published(Strict):
    """The figures and findings of a publication, for comparison with those of a run."""

    source: str
    """Where the figures are printed."""
    columns: tuple[str, ...]
    """Names of the metrics of each row, as in `metrics.json`."""
    rows: dict[str, dict[str, dict[str, tuple[tuple[float, float], ...]]]]
    """Task -> approach -> view or view set -> (mean, sd) for each of `columns`."""
    follow_up: FollowUp | None = None
    tables: tuple[PublishedTable, ...] | None = None
    findings: tuple[PublishedFinding, ...] | None = None
    figures: tuple[PublishedFigure, ...] | None = None
    """None in recipes that were saved before these lists existed."""

    @model_validator(mode="after")
    def _rows_are_complete(self) -> Published:
        for task, approaches in self.rows.items():
            for approach, views in approaches.items():
                for view, figures in views.items():
                    if len(figures) != len(self.columns):
                        raise ValueError(
                            f"rows.{task}.{approach}.{view} has {len(figures)} figures for "
                            f"{len(self.columns)} columns"
                        )
        return self
