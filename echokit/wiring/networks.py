"""Which networks a run trains, and training those that are not there yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.errors import CohortError
from echokit.executors import run_all
from echokit.folder import RunFolder
from echokit.progress import Progress, Tick
from echokit.recipe import Recipe
from echokit.stages.store import Store
from echokit.wiring.components import load_model, make_model, make_sequence_spec
from echokit.wiring.population import Study

if TYPE_CHECKING:
    from echokit.stages.sequences import Item
    from echokit.stages.train import Job


def jobs_of(study: Study, recipe: Recipe) -> list[Job]:
    """One network for each task, approach, view and split."""
    from echokit.stages.train import Job

    present = {ref.view for ref in study.cohort.clips}
    return [
        Job(task, approach, view, split.index)
        for task in study.labelled
        for approach in recipe.enabled_approaches
        for split in study.splits[task]
        for view in recipe.views.use
        if view in present
    ]


@dataclass(frozen=True, slots=True)
class _Work:
    """Everything that training one network needs, in a form that another process can take."""

    job: Job
    recipe: Recipe
    items: list[Item]
    classes: tuple[str, ...]
    store: Path
    models: Path

    def __call__(self, tick: Tick) -> None:
        from echokit.stages import train

        recipe = self.recipe.of_approach(self.job.approach)
        data = train.TrainingSet(
            self.items, self.classes, Store(self.store), make_sequence_spec(recipe, training=True)
        )
        settings = train.Settings(
            **recipe.train.model_dump(exclude={"augment"}),
            seed=train.job_seed(recipe.seed, self.job),
            device=recipe.compute.device,
            workers=recipe.compute.workers,
            digest=self.recipe.digest(),
        )
        make = lambda: make_model(recipe, len(self.classes))  # noqa: E731
        train.train(self.job, make, data, settings, self.models, tick)


def _work(work: _Work, tick: Tick) -> None:
    work(tick)


def train_all(study: Study, recipe: Recipe, folder: RunFolder, progress: Progress) -> int:
    """Train every network that is not there yet; return how many there are now."""
    from echokit.stages.train import is_trained

    jobs = jobs_of(study, recipe)
    todo = []
    for job in jobs:
        items, classes = study.items(job, "train"), study.labelled[job.task].classes
        missing = set(range(len(classes))) - {item.label for item in items}
        if missing:
            names = ", ".join(classes[i] for i in sorted(missing))
            raise CohortError(
                f"Training {job}: no training clip is labelled {names}. Add patients, or leave "
                f"the view {job.view} out of views.use."
            )
        if not is_trained(job, folder.models, recipe.digest(), items):
            todo.append(_Work(job, recipe, items, classes, folder.store, folder.models))
    sizes = [recipe.train.epochs * recipe.train.n * len(work.items) for work in todo]
    if todo:
        folder.forget("predict", "evaluate", "explain")  # they rest on the networks
        with progress.bar(f"Training {len(todo)} networks", sum(sizes), "samples") as tick:
            run_all(_work, todo, sizes, recipe.compute.jobs, tick)
    return len(jobs)


def load_network(job: Job, recipe: Recipe, classes: int, folder: RunFolder) -> Any:
    """The trained network of a job, ready to predict."""
    return load_model(recipe, classes, (folder.models / job.stem).with_suffix(".safetensors"))
