"""A run under way: one value that every step takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from torch import nn

from echokit.clips.store import Store
from echokit.components.networks import load_model
from echokit.components.parts import Parts, make_parts
from echokit.components.slots import subject_rule
from echokit.folder import RunFolder
from echokit.interfaces import Aggregator
from echokit.networks.job import WEIGHTS, Job
from echokit.recipe import Recipe
from echokit.runs.population import Population
from echokit.system.progress import Progress, Silent
from echokit.voting.table import PredictionTable


@dataclass(frozen=True)
class Run:
    """What the steps of a run share."""

    recipe: Recipe
    folder: RunFolder
    population: Population
    progress: Progress = field(default_factory=Silent)

    @cached_property
    def parts(self) -> Mapping[str, Parts]:
        """Approach -> its components, made once."""
        return {name: make_parts(self.recipe, name) for name in self.recipe.enabled_approaches}

    @cached_property
    def store(self) -> Store:
        """Prepared clips, kept open."""
        return Store(self.folder.store)

    @property
    def held_out(self) -> PredictionTable:
        """Predictions of held-out patients, as the step `predict` wrote them."""
        return PredictionTable.read(self.folder.predictions)

    @property
    def crossfit(self) -> PredictionTable:
        """Predictions of training patients by inner networks; empty where the run makes none."""
        return PredictionTable.read_if_there(self.folder.crossfit)

    def weights(self, job: Job) -> Path:
        """The file of a job's trained weights."""
        return (self.folder.models / job.stem).with_suffix(WEIGHTS)

    def load_network(self, job: Job) -> nn.Module:
        """Load the trained network of a job, ready to predict.

        Raises:
            UsageError: it is not trained yet.
        """
        classes = len(self.population.classes(job.task))
        return load_model(self.parts[job.approach].recipe, classes, self.weights(job))

    def subject_rule(self, task: str, approach: str, split: int) -> Aggregator:
        """Make the voting rule of views, fitted on a split's training patients if it learns.

        Raises:
            UsageError: the rule learns, and there is nobody to learn from.
        """

        def training() -> PredictionTable:
            return self.crossfit.where(task=task, approach=approach, split=split)

        return subject_rule(self.recipe.aggregate.subject, self.population.classes(task), training)
