"""Which networks a run trains, and the work of training each."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from echokit.clips.store import Store
from echokit.components import (
    load_model,
    make_sequence_spec,
)
from echokit.folder import RunFolder
from echokit.recipe import TOGETHER, Compute, Recipe
from echokit.runs.population import Study
from echokit.system.progress import Tick

if TYPE_CHECKING:
    from echokit.networks.job import Job
if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.data import Dataset

    from echokit.networks.job import Job


WEIGHTS = ".safetensors"


def jobs_of(study: Study, recipe: Recipe) -> list[Job]:
    """One network for each task, approach, view and split: those that held-out patients meet.

    Where the recipe takes views together, one network stands for all of them.
    """
    from echokit.networks.job import Job

    present = {ref.view for ref in study.cohort.clips} | {TOGETHER}
    return [
        Job(task, approach, view, split.index)
        for task in study.labelled
        for approach in recipe.enabled_approaches
        for split in study.splits[task]
        for view in recipe.views.networks
        if view in present
    ]


def inner_jobs(study: Study, recipe: Recipe) -> list[Job]:
    """The inner networks: for each network one that leaves out each fold of its patients."""
    return [
        replace(job, fold=fold.index)
        for job in jobs_of(study, recipe)
        for fold in study.folds[job.task][job.split]
    ]


@dataclass(frozen=True, slots=True)
class Work:
    """Everything that training one network needs, in a form that another process can take."""

    job: Job
    recipe: Recipe
    items: Sequence[Any]
    """Clips, or patients, to learn from."""
    classes: tuple[str, ...]
    make: Callable[[Recipe, int], nn.Module]
    """Makes the network from the recipe and the number of classes."""
    sequences: Callable[..., Dataset[tuple[Tensor, int]]]
    """Makes the dataset of drawn sequences."""
    digest: str
    """Of all that determines the network, but for what it learns from."""
    folder: RunFolder

    def __call__(self, tick: Tick) -> None:
        """Train the network, in whatever process this is."""
        from echokit.networks import train
        from echokit.networks.job import job_seed

        recipe = self.recipe
        data = train.TrainingSet(
            self.items,
            self.classes,
            Store(self.folder.store),
            make_sequence_spec(recipe, training=True),
            self.sequences,
        )
        settings = train.Settings(
            **recipe.train.model_dump(exclude={"augment"}),
            seed=job_seed(recipe.seed, self.job),
            device=recipe.compute.device,
            workers=workers_of(recipe.compute),
            compile=recipe.compute.compile,
            digest=self.digest,
        )
        make = lambda: self.make(recipe, len(self.classes))  # noqa: E731
        train.train(self.job, make, data, settings, self.folder.models, tick)


def workers_of(compute: Compute) -> int:
    """How many processes make sequences for one network."""
    from echokit.networks.job import device_of

    if compute.workers != "auto":
        return compute.workers
    cores = (os.cpu_count() or 1) // compute.jobs
    return min(8, max(1, cores - 1)) if device_of(compute.device).type == "cuda" else 0


def load_network(job: Job, recipe: Recipe, classes: int, folder: RunFolder) -> Any:
    """The trained network of a job, ready to predict."""
    return load_model(recipe, classes, (folder.models / job.stem).with_suffix(WEIGHTS))


METHOD = "feature-fusion"


def joint_jobs(study: Study, recipe: Recipe) -> list[Job]:
    """One network over all views for each task, approach and split, if the recipe wants any."""
    from echokit.networks.job import Job

    if not recipe.feature_fusion.enabled:
        return []
    return [
        Job(task, approach, METHOD, split.index)
        for task in study.labelled
        for approach in recipe.enabled_approaches
        for split in study.splits[task]
    ]
