"""The whole recipe: its tables together, what must fit between them, and its digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import tomli_w
from pydantic import Field, field_validator, model_validator

from echokit.errors import PluginError, RecipeError
from echokit.plugins.registry import Kind, check_options, registry
from echokit.recipe.published import Published
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


class Recipe(Strict):
    """Everything that determines a run."""

    name: str
    title: str = ""
    description: str = ""
    preset: str = ""
    """The preset that this recipe was resolved with; for information."""
    seed: int = Field(0, ge=0, lt=2**32)
    data: Slot
    """The loader of the cohort; its `source` is where."""
    study: Slot
    """The loader of a user's own files, for `--data` and `echokit predict`."""
    views: Views
    view_sets: dict[str, tuple[str, ...]] = Field({})
    """Sets of views that vote together; one is evaluated if all of its views are used."""
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
    """Voting rules of views that are compared with each other, by name."""
    explain: Slot | None = None
    feature_fusion: FeatureFusion = FeatureFusion()
    evaluate: Evaluate = Evaluate()
    report: Report = Report()
    published: Published | None = None
    compute: Compute = Compute()
    executor: Slot | None = None
    """What runs independent jobs; None: `local`, `compute.jobs` at a time."""

    @field_validator("executor", mode="before")
    @classmethod
    def _a_name_alone_is_a_slot(cls, value: object) -> object:
        return {"use": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _something_is_asked(self) -> Recipe:
        if not self.enabled_tasks:
            raise ValueError(f"no task is enabled; enable one of {', '.join(self.tasks)}")
        if not self.enabled_approaches:
            raise ValueError(f"no approach is enabled; enable one of {', '.join(self.approaches)}")
        if len(set(self.views.use)) < len(self.views.use):
            raise ValueError("views.use names a view twice")
        if TOGETHER in (*self.views.use, *self.view_sets):
            raise ValueError(f"{TOGETHER!r} names all views together; call no view or set so")
        if self.views.together and self.feature_fusion.enabled:
            raise ValueError(
                "views.together makes one network of all views, so that feature_fusion has no "
                "features of views to fuse: switch one of them off"
            )
        if self.views.classifier and self.view_tasks:
            raise ValueError(
                f"views.classifier would answer what the task {self.view_tasks[0]} asks: leave it "
                "out, and annotate the views"
            )
        if taken := set(self.view_sets) & set(self.views.use):
            raise ValueError(f"view_sets: {', '.join(taken)} is the name of a view already")
        return self

    def of_approach(self, name: str) -> Recipe:
        """The recipe as one of its approaches changes it."""
        approach = self.approaches[name]
        changes: dict[str, Any] = {"approaches": {name: Approach()}}
        if approach.backbone is not None:
            changes["backbone"] = approach.backbone
        if approach.k is not None:
            changes["sequences"] = self.sequences.model_copy(update={"k": approach.k})
        return self.model_copy(update=changes)

    @property
    def enabled_tasks(self) -> dict[str, Task]:
        """The tasks that are asked, by name."""
        return {name: task for name, task in self.tasks.items() if task.enabled}

    @property
    def view_tasks(self) -> tuple[str, ...]:
        """The enabled tasks that ask for the view."""
        return tuple(n for n, task in self.enabled_tasks.items() if task.column == VIEW_COLUMN)

    @property
    def enabled_approaches(self) -> tuple[str, ...]:
        """The approaches that are taken, by name."""
        return tuple(name for name, approach in self.approaches.items() if approach.enabled)

    @property
    def used_view_sets(self) -> dict[str, tuple[str, ...]]:
        """The view sets whose views are all in use, and all views where none is."""
        sets = {n: v for n, v in self.view_sets.items() if set(v) <= set(self.views.use)}
        return sets or {f"MV-{len(self.views.use)}": self.views.use}

    def to_toml(self) -> str:
        """The recipe as a TOML document that loads back to an equal recipe."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))

    def digest(self) -> str:
        """A short digest of everything that determines the run's results."""
        return self._digest_of(
            self.model_dump(exclude={"compute", "executor", "report", "preset", "published"})
        )

    def training_digest(self) -> str:
        """A short digest of how a network is trained, of whatever clips and for whatever votes.

        So a network serves every voting rule and explainer, and a view, task or split more leaves
        the others as they are.
        """
        parts = {"seed", "augment", "normalise", "backbone", "train"}
        return self._digest_of(self.model_dump(include=parts) | {"k": self.sequences.k})

    def _digest_of(self, document: dict[str, Any]) -> str:
        document["order"] = [*self.prepare, *self.augment]  # which the sorting of keys would lose
        text = json.dumps(document, sort_keys=True, default=str)  # TOML's dates are not JSON's
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def slots(self) -> Iterable[tuple[str, Kind, Slot]]:
        """Every slot in use as (where it stands, the kind of component, the slot)."""
        yield "data", "loader", self.data
        yield "study", "loader", self.study
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
        """Check that every slot names a component that exists and options that it takes.

        Raises:
            RecipeError: one does not; the message says where it stands and what is valid.
        """
        given: dict[Kind, dict[str, Any]] = {
            "loader": {"source": ""},
            "backbone": {"num_classes": 2, "in_channels": 1},
        }
        for where, kind, slot in self.slots():
            try:
                component = registry().find(kind, slot.use)
                check_options(component, given.get(kind, {}) | slot.options)
            except PluginError as error:
                raise RecipeError(f"[{where}] {error}") from error
