"""List the networks of a run, and describe the training of each for another process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor, nn
from torch.utils.data import Dataset

from echokit.clips.store import Store
from echokit.components.slots import make_sequence_spec
from echokit.networks import train
from echokit.networks.data import TrainingSet
from echokit.networks.job import Job, Labelled, device_of, is_trained, job_seed
from echokit.networks.settings import Settings
from echokit.recipe import TOGETHER, Compute, Recipe
from echokit.runs.context import Run
from echokit.system.progress import Tick

FEATURE_FUSION = "feature-fusion"
"""Name in place of a view for the network that takes all views of a patient at once."""


def jobs_of(run: Run) -> list[Job]:
    """List the networks of held-out patients: one for each task, approach, view and split.

    With `views.together` one network takes the place of those of all views.
    """
    population, recipe = run.population, run.recipe
    present = {ref.view for ref in population.cohort.clips} | {TOGETHER}
    return [
        Job(task, approach, view, split.index)
        for task in population.labelled
        for approach in recipe.enabled_approaches
        for split in population.splits[task]
        for view in recipe.views.networks
        if view in present
    ]


def inner_jobs(run: Run) -> list[Job]:
    """List the inner networks: for each network, one without each fold of its training patients."""
    return [
        replace(job, fold=fold.index)
        for job in jobs_of(run)
        for fold in run.population.folds[job.task][job.split]
    ]


def fused_jobs(run: Run) -> list[Job]:
    """List the networks of feature fusion, one for each task, approach and split."""
    if not run.recipe.feature_fusion.enabled:
        return []
    return [
        Job(task, approach, FEATURE_FUSION, split.index)
        for task in run.population.labelled
        for approach in run.recipe.enabled_approaches
        for split in run.population.splits[task]
    ]


@dataclass(frozen=True, slots=True)
class Work:
    """The training of one network."""

    job: Job
    recipe: Recipe
    """Recipe of the job's approach."""
    items: Sequence[Labelled]
    """Training clips, or training patients."""
    classes: tuple[str, ...]
    make: Callable[[Recipe, int], nn.Module]
    """Makes the network from the recipe and the number of classes."""
    sequences: Callable[..., Dataset[tuple[Tensor, int]]]
    """Makes the dataset of random sequences."""
    digest: str
    """Digest of everything that determines the network except the data."""
    store: Path
    """Folder of the prepared clips."""
    models: Path
    """Folder of the trained networks."""

    @property
    def samples(self) -> int:
        """Total number of sequences that the training draws."""
        return self.recipe.train.epochs * self.recipe.train.n * len(self.items)

    @property
    def is_done(self) -> bool:
        """True if the network exists and was trained by this recipe on these items."""
        return is_trained(self.job, self.models, self.digest, self.items)

    def __call__(self, tick: Tick) -> None:
        """Train the network in the current process."""
        recipe = self.recipe
        data = TrainingSet(
            self.items,
            self.classes,
            Store(self.store),
            make_sequence_spec(recipe, training=True),
            self.sequences,
        )
        settings = Settings(
            **recipe.train.model_dump(exclude={"augment"}),
            seed=job_seed(recipe.seed, self.job),
            device=recipe.compute.device,
            workers=workers_of(recipe.compute),
            compile=recipe.compute.compile,
            digest=self.digest,
            deterministic=recipe.compute.deterministic,
        )
        make = partial(self.make, recipe, len(self.classes))
        train.train(self.job, make, data, settings, self.models, tick)


def workers_of(compute: Compute) -> int:
    """Return the number of processes that load sequences for one network."""
    if compute.workers != "auto":
        return compute.workers
    cores = (os.cpu_count() or 1) // compute.jobs  # networks trained side by side share the cores
    return min(8, max(1, cores - 1)) if device_of(compute.device).type == "cuda" else 0
