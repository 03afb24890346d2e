"""Which networks a run trains, and training those that are not there yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from echokit.components import make_model
from echokit.errors import CohortError
from echokit.executors.local import run_all
from echokit.folder import RunFolder
from echokit.recipe import TOGETHER, Recipe
from echokit.runs.jobs import WEIGHTS, Work, inner_jobs, jobs_of
from echokit.runs.population import Study
from echokit.system.files import read_json
from echokit.system.progress import Progress, Tick

if TYPE_CHECKING:
    from echokit.networks.job import Job


def _work(work: Work, tick: Tick) -> None:
    work(tick)


def train_all(study: Study, recipe: Recipe, folder: RunFolder, progress: Progress) -> int:
    """Train every network that is not there yet; return how many there are now."""
    from echokit.networks.job import is_trained
    from echokit.runs.fused import joint_works

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
    from echokit.networks.sampling import TrainingSequences

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
