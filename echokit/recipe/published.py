"""The table `[published]`: a publication's figures, tables, findings and pictures.

What is in it decides nothing of a run; a report prints it beside the run's own figures.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from echokit.errors import nearest
from echokit.recipe.tables import Strict

Axis: TypeAlias = Literal["tasks", "approaches", "views", "metrics"]

BLANKS = ("absent", "near", "far", "ahead", "surely_ahead", "lead", "limits")
"""What a finding's remark may be filled with: the names of `lower` that a run lacks, the distances
of `nearer`, in how many rows the higher side is ahead, and in how many beyond noise, the mean lead
and its interval."""


class Drop(Strict):
    """What one task reached in cross-validation, and on patients held out from it."""

    cross_validation: float
    held_out: float


class FollowUp(Strict):
    """Later figures of a publication's authors, which say how far the first ones carry."""

    source: str
    """Where the figures are printed."""
    metric: str
    """What they are of: the name of a metric as in `metrics.json`."""
    tasks: dict[str, Drop]


class PublishedTable(Strict):
    """A table of the publication, to be filled with a run's figures."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    """What `echokit report --table` calls it: `3`."""
    label: str
    """Its heading: `Table 3`."""
    columns: tuple[str, ...] = Field(min_length=1)
    """Names of metrics as in `metrics.json`."""
    approaches: tuple[str, ...] = ()
    """The approaches that it shows; empty for all."""
    views: tuple[str, ...] = ()
    """The views and view sets that it shows; empty for all."""
    follow_up: bool = False
    """Whether what the authors found later stands below it."""


class PublishedFinding(Strict):
    """A statement of the publication: some figures are higher than others."""

    name: str
    sentence: str
    compare: Axis
    """What `higher` and `lower` are names of."""
    higher: tuple[str, ...] = Field(min_length=1)
    """Each of these is said to be higher than each of `lower`; a run must have all of them."""
    lower: tuple[str, ...] = Field(min_length=1)
    """A run must have one of these; those that it lacks are left out."""
    tasks: tuple[str, ...] = ()
    approaches: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    """Where the comparison is made: in every row of these, with each of these metrics. The one
    that is compared is left empty."""
    mean: bool = False
    """Compare means over all rows that have both sides; by default row by row."""
    ties: bool = False
    """Whether equal figures agree with it."""
    nearer: tuple[str, str, str] | None = None
    """It says besides that the first of these is nearer to the second than to the third."""
    words: dict[str, str] = Field({})
    """What the details call a name of `higher` or `lower`, where not by itself."""
    remark: str = ""
    """What the details say besides, with blanks that a run fills, each a name of `BLANKS` in
    braces. Left out where one cannot be filled."""
    remark_tasks: tuple[str, ...] = ()
    """Tasks that the remark is made of, one after the other; they decide nothing."""

    @model_validator(mode="after")
    def _every_place_is_said(self) -> PublishedFinding:
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
    """A picture of the publication, to be drawn of a run's explained sequences."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    label: str
    """Its heading: `Figure 2`."""
    about: str = ""
    """What it shows, as a sentence."""
    layout: Literal["labels", "beat"]
    """`labels`: a row for each label of a view, the frame at `phases[0]` and its saliency.
    `beat`: one sequence of each task and approach, a column for each phase, saliency below."""
    phases: tuple[Literal["systole", "diastole", "middle"], ...] = Field(min_length=1)
    views: tuple[str, ...] = ()
    """Views to draw, `labels`, or to prefer, `beat`; empty for all."""


class Published(Strict):
    """A publication's own figures, to stand beside those of a run, and what it found."""

    source: str
    """Where the figures are printed."""
    columns: tuple[str, ...]
    """What each figure of a row is: names of metrics as in `metrics.json`."""
    rows: dict[str, dict[str, dict[str, tuple[tuple[float, float], ...]]]]
    """Task -> approach -> view or view set -> (mean, sd) for each of `columns`."""
    follow_up: FollowUp | None = None
    tables: tuple[PublishedTable, ...] | None = None
    findings: tuple[PublishedFinding, ...] | None = None
    figures: tuple[PublishedFigure, ...] | None = None
    """None in recipes that were saved before there was such a list."""

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
