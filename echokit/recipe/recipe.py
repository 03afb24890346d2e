"""The recipe: all tables, the checks between them, and digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import tomli_w
from pydantic import Field, field_validator, model_validator

from echokit.errors import PluginError, RecipeError
from echokit.plugins.registry import Kind, check_options, registry
from echokit.recipe.published import Published
from echokit.recipe.settings import Table
from echokit.recipe.tables import (
    TOGETHER,
    VIEW_COLUMN,
    Aggregate,
    Approach,
    Compute,
    Crossfit,
    Evaluate,
    FeatureFusion,
    Report,
    Sequences,
    Slot,
    Split,
    Strict,
    Task,
    Train,
    Views,
)
from echokit.system.paths import name_problem

OWN: dict[Kind, tuple[str, ...]] = {"backbone": ("num_classes", "in_channels")}
"""Kind of component -> options that follow from the task and the data."""


class Recipe(Strict):
    """Everything that determines a run."""

    name: str
    title: str = ""
    description: str = ""
    preset: str = ""
    """Preset with which this recipe was resolved; for information."""
    seed: int = Field(0, ge=0, lt=2**32)
    data: Slot
    """Loader of the cohort; `source` is its path."""
    study: Slot
    """Loader of the user's own files, for `--data` and `echokit predict`."""
    test: Slot | None = None
    """Loader of an external test cohort: other patients, whom each split's networks predict."""
    views: Views
    view_sets: dict[str, tuple[str, ...]] = Field({})
    """Sets of views that vote together; a set is evaluated if all of its views are used."""
    tasks: dict[str, Task] = Field(min_length=1)
    split: Split = Split()
    prepare: dict[str, Slot] = Field({})
    sequences: Sequences = Sequences()
    augment: dict[str, Slot] = Field({})
    normalise: Slot | None = None
    backbone: Slot
    approaches: dict[str, Approach] = Field({"spatio-temporal": Approach()})
    train: Train = Train()
    crossfit: Crossfit = Crossfit()
    aggregate: Aggregate
    fusion: dict[str, Slot] = Field({})
    """Voting rules of views to compare with each other, by name."""
    explain: Slot | None = None
    feature_fusion: FeatureFusion = FeatureFusion()
    evaluate: Evaluate = Evaluate()
    report: Report = Report()
    published: Published | None = None
    compute: Compute = Compute()
    executor: Slot | None = None
    """What runs independent jobs; None: `local`, `compute.jobs` at a time."""

    @field_validator("executor", "test", mode="before")
    @classmethod
    def _a_name_alone_is_a_slot(cls, value: object) -> object:
        if value is False:
            return None
        return {"use": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _names_become_files(self) -> Recipe:
        becoming = {
            "name": (self.name,),
            "tasks": self.tasks,
            "approaches": self.approaches,
            "views.use": self.views.use,
            "view_sets": self.view_sets,
        }
        for key, names in becoming.items():
            for name in names:
                if problem := name_problem(name):
                    raise ValueError(f"{key}: {problem}")
        return self

    @model_validator(mode="after")
    def _tables_fit_together(self) -> Recipe:
        if not self.enabled_tasks:
            raise ValueError(f"no task is enabled; enable one of {', '.join(self.tasks)}")
        if not self.enabled_approaches:
            raise ValueError(f"no approach is enabled; enable one of {', '.join(self.approaches)}")
        if len(set(self.views.use)) < len(self.views.use):
            raise ValueError("views.use names a view twice")
        if TOGETHER in (*self.views.use, *self.view_sets):
            raise ValueError(
                f"{TOGETHER!r} stands for all views together; give no view or set this name"
            )
        if self.views.together and self.feature_fusion.enabled:
            raise ValueError(
                "views.together trains one network for all views, so that feature_fusion has no "
                "features of single views to fuse: disable one of them"
            )
        if self.train.loss == "ordinal" and self.view_tasks:
            raise ValueError(
                f"train.loss is 'ordinal', and the views that the task {self.view_tasks[0]} "
                "predicts have no order: --set train.loss=cross-entropy"
            )
        if self.views.classifier and self.view_tasks:
            raise ValueError(
                f"views.classifier would predict what the task {self.view_tasks[0]} is to learn: "
                "remove it, and annotate the views"
            )
        abstain = self.aggregate.abstain
        if abstain is not None and abstain.views > len(self.views.use):
            raise ValueError(
                f"aggregate.abstain.views is {abstain.views}, but {len(self.views.use)} views are "
                f"in use, so no subject would be judged: set {len(self.views.use)} or fewer"
            )
        if taken := set(self.view_sets) & set(self.views.use):
            raise ValueError(f"view_sets: {', '.join(taken)} is already the name of a view")
        return self

    def of_approach(self, name: str) -> Recipe:
        """Return the recipe with the changes of one of its approaches."""
        approach = self.approaches[name]
        changes: dict[str, object] = {"approaches": {name: Approach()}}
        if approach.backbone is not None:
            changes["backbone"] = approach.backbone
        if approach.k is not None:
            changes["sequences"] = self.sequences.model_copy(update={"k": approach.k})
        return self.model_copy(update=changes)

    def of_test_cohort(self) -> Recipe:
        """Return the recipe with its external test cohort in the place of the cohort.

        Raises:
            RecipeError: there is none.
        """
        if self.test is None:
            raise RecipeError("The recipe has no external test cohort: add the table [test].")
        return self.model_copy(update={"data": self.test})

    @property
    def enabled_tasks(self) -> dict[str, Task]:
        """Enabled tasks by name."""
        return {name: task for name, task in self.tasks.items() if task.enabled}

    @property
    def view_tasks(self) -> tuple[str, ...]:
        """Names of the enabled tasks that predict the view."""
        return tuple(
            name for name, task in self.enabled_tasks.items() if task.column == VIEW_COLUMN
        )

    @property
    def enabled_approaches(self) -> tuple[str, ...]:
        """Names of the enabled approaches."""
        return tuple(name for name, approach in self.approaches.items() if approach.enabled)

    @property
    def used_view_sets(self) -> dict[str, tuple[str, ...]]:
        """View sets whose views are all in use; one set of all views if there is none."""
        sets = {k: v for k, v in self.view_sets.items() if set(v) <= set(self.views.use)}
        return sets or {f"MV-{len(self.views.use)}": self.views.use}

    def to_toml(self) -> str:
        """Format the recipe as a TOML document, which loads as an equal recipe."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))

    def digest(self) -> str:
        """Compute a short digest of everything that determines the results of a run.

        The external test cohort has a digest of its own, because it determines one step alone.
        """
        rest = self.model_dump(
            exclude={"compute", "executor", "report", "preset", "published", "train", "test"}
        )
        if self.aggregate.abstain is None:  # as in recipes written before it could be set
            del rest["aggregate"]["abstain"]
        if self.split.method != "file":
            del rest["split"]["column"]
        return self._digest_of(rest | {"train": self.train.determining()})

    def test_digest(self) -> str:
        """Compute a short digest of the external test cohort's loader; empty without one."""
        return self._digest_of({"test": self.test.model_dump()}) if self.test else ""

    def training_digest(self) -> str:
        """Compute a short digest of how networks are trained, without data and voting rules.

        Trained networks then serve every voting rule and explainer, and another view, task or split
        leaves those of the others valid.
        """
        parts = {"seed", "augment", "normalise", "backbone"}
        train = {"train": self.train.determining()}
        return self._digest_of(self.model_dump(include=parts) | train | {"k": self.sequences.k})

    def _digest_of(self, document: Table) -> str:
        # transforms are ordered, and sorting the keys below would lose their order
        document["order"] = [*self.prepare, *self.augment]
        text = json.dumps(document, sort_keys=True, default=str)  # JSON has no dates, TOML has
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def slots(self) -> Iterable[tuple[str, Kind, Slot]]:
        """List the slots in use as (key in the recipe, kind of component, slot)."""
        yield "data", "loader", self.data
        yield "study", "loader", self.study
        if self.test:
            yield "test", "loader", self.test
        for name, slot in self.prepare.items():
            yield f"prepare.{name}", "transform", slot
        for name, slot in self.augment.items():
            yield f"augment.{name}", "transform", slot
        if self.normalise:
            yield "normalise", "transform", self.normalise
        for name in self.enabled_approaches:
            yield f"approaches.{name}.backbone", "backbone", self.of_approach(name).backbone
        yield "aggregate.view", "aggregator", self.aggregate.view
        yield "aggregate.subject", "aggregator", self.aggregate.subject
        for name, slot in self.fusion.items():
            yield f"fusion.{name}", "aggregator", slot
        if self.explain:
            yield "explain", "explainer", self.explain
        if self.executor:
            yield "executor", "executor", self.executor

    def check_components(self) -> None:
        """Check that the component of every slot exists and takes the given options.

        Raises:
            RecipeError: a slot is invalid; the message names its key and the valid choices.
        """
        arguments: dict[Kind, dict[str, object]] = {
            "loader": {"source": ""},
            "backbone": {"num_classes": 2, "in_channels": 1},
        }
        for key, kind, slot in self.slots():
            if own := [name for name in OWN.get(kind, ()) if name in slot.options]:
                raise RecipeError(f"[{key}] {own[0]} is set by echokit itself: leave it out.")
            try:
                component = registry().find(kind, slot.use)
                check_options(component, arguments.get(kind, {}) | slot.options)
            except PluginError as error:
                raise RecipeError(f"[{key}] {error}") from error
