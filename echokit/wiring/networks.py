"""Which networks a run trains, and training those that are not there yet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from echokit.errors import CohortError
from echokit.executors import run_all
from echokit.files import read_json
from echokit.folder import RunFolder
from echokit.progress import Progress, Tick
from echokit.recipe import TOGETHER, Compute, Recipe
from echokit.stages.store import Store
from echokit.wiring.components import load_model, make_model, make_sequence_spec
from echokit.wiring.population import Study

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.data import Dataset

    from echokit.stages.train import Job


WEIGHTS = ".safetensors"


def jobs_of(study: Study, recipe: Recipe) -> list[Job]:
    """One network for each task, approach, view and split: those that held-out patients meet.

    Where the recipe takes views together, one network stands for all of them.
    """
    from echokit.stages.train import Job

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
        from echokit.stages import train

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
            seed=train.job_seed(recipe.seed, self.job),
            device=recipe.compute.device,
            workers=workers_of(recipe.compute),
            compile=recipe.compute.compile,
            digest=self.digest,
        )
        make = lambda: self.make(recipe, len(self.classes))  # noqa: E731
        train.train(self.job, make, data, settings, self.folder.models, tick)


def workers_of(compute: Compute) -> int:
    """How many processes make sequences for one network."""
    from echokit.stages.train import device_of

    if compute.workers != "auto":
        return compute.workers
    cores = (os.cpu_count() or 1) // compute.jobs
    return min(8, max(1, cores - 1)) if device_of(compute.device).type == "cuda" else 0


def _work(work: Work, tick: Tick) -> None:
    work(tick)


def train_all(study: Study, recipe: Recipe, folder: RunFolder, progress: Progress) -> int:
    """Train every network that is not there yet; return how many there are now."""
    from echokit.stages.train import is_trained
    from echokit.wiring.joint import joint_works

    works = [
        *view_works(jobs_of(study, recipe), study, recipe, folder),
        *view_works(inner_jobs(study, recipe), study, recipe, folder),
        *joint_works(study, recipe, folder),
    ]
    todo = [w for w in works if not is_trained(w.job, folder.models, w.digest, w.items)]
    sizes = [w.recipe.train.epochs * w.recipe.train.n * len(w.items) for w in todo]
    if todo:
        folder.forget_results()
        with progress.bar(f"Training {len(todo)} networks", sum(sizes), "samples") as tick:
            run_all(_work, todo, sizes, recipe.compute.jobs, tick)
    return len(works)


def was_trained(recipe: Recipe, folder: RunFolder) -> bool:
    """Whether the run trained its networks by this very recipe before, and still has them.

    The weights that training starts from may be gone by then.
    """
    found = folder.models.rglob("*.json")
    there = {read_json(p)["recipe_digest"] for p in found if p.with_suffix(WEIGHTS).is_file()}
    wanted = {recipe.of_approach(name).training_digest() for name in recipe.enabled_approaches}
    return folder.is_done("train") and wanted <= there


def view_works(
    jobs: Iterable[Job], study: Study, recipe: Recipe, folder: RunFolder
) -> Iterator[Work]:
    """The training of networks of one view each.

    Raises:
        CohortError: a label has no clip to learn from.
    """
    from echokit.stages.drawing import TrainingSequences

    for job in jobs:
        items, classes = study.items(job, "train"), study.labelled[job.task].classes
        missing = set(range(len(classes))) - {item.label for item in items}
        if missing:
            names = ", ".join(classes[i] for i in sorted(missing))
            fewer = "" if job.fold is None else ", or do without inner networks: crossfit.folds=0"
            less = f"leave the view {job.view} out of views.use"
            if job.view == TOGETHER:
                less = "leave the label out of the task"
            raise CohortError(
                f"Training {job}: no training clip is labelled {names}. Add patients, or {less}"
                f"{fewer}."
            )
        its = recipe.of_approach(job.approach)
        digest = its.training_digest()
        yield Work(job, its, items, classes, make_model, TrainingSequences, digest, folder)


def load_network(job: Job, recipe: Recipe, classes: int, folder: RunFolder) -> Any:
    """The trained network of a job, ready to predict."""
    return load_model(recipe, classes, (folder.models / job.stem).with_suffix(WEIGHTS))
