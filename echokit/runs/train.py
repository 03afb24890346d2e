"""Train the missing networks of a run: `models/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from echokit.components.networks import make_model
from echokit.components.slots import make_executor
from echokit.errors import CohortError, DamagedError
from echokit.folder import RunFolder
from echokit.networks.job import WEIGHTS, Job
from echokit.networks.sampling import TrainingSequences
from echokit.recipe import TOGETHER, Recipe
from echokit.recipe.demo import with_start
from echokit.runs.context import Run
from echokit.runs.feature_fusion import fused_works
from echokit.runs.jobs import Work, inner_jobs, jobs_of
from echokit.system.checked import read_json
from echokit.system.digests import MISSING
from echokit.system.progress import Tick
from echokit.system.run_record import warn


def step(run: Run) -> str:
    """Train every missing network."""
    works = [
        *view_works(run, jobs_of(run)),
        *view_works(run, inner_jobs(run)),
        *fused_works(run),
    ]
    damaged = _damaged_descriptions(run.folder)
    missing = {
        stem: work
        for work in works
        if (stem := work.job.stem.as_posix()) in damaged or not work.is_done
    }
    if missing:  # results of other networks must not stand beside the new ones
        run.folder.forget_results()
        run.folder.digests.forget(f"models/{stem}.*" for stem in missing)
        samples = {key: work.samples for key, work in missing.items()}
        execute = make_executor(run.recipe)
        title = f"Training {len(missing)} networks"
        with run.progress.bar(title, sum(samples.values()), "samples") as tick:
            execute(_carry_out, missing, samples, tick)
    return f"{len(works)} networks trained"


def _damaged_descriptions(folder: RunFolder) -> set[str]:
    """Return the networks whose descriptions were changed since; weights are checked with them."""
    stems = set()
    for name, problem in folder.digests.problems(("models/**/split-*.json",)).items():
        stems.add(name.removeprefix("models/").removesuffix(".json"))
        if problem != MISSING:  # what is missing is trained without a word
            warn(f"{folder.path / name} is damaged: {problem}. Its network is trained again.")
    return stems


def _carry_out(work: Work, tick: Tick) -> None:
    """Train one network; a module-level function, because another process must import it."""
    work(tick)


def was_trained(recipe: Recipe, folder: RunFolder) -> bool:
    """Return True if the run has networks that were trained by this recipe.

    Files of weights from which training starts are then no longer needed.
    """
    descriptions = [
        path for path in folder.models.rglob("*.json") if path.with_suffix(WEIGHTS).is_file()
    ]
    digests = set()
    for path in descriptions:
        with suppress(DamagedError):  # trained again, which is said then
            digests.add(read_json(path, "recipe_digest")["recipe_digest"])
    wanted = {recipe.of_approach(name).training_digest() for name in recipe.enabled_approaches}
    return folder.is_done("train") and wanted <= digests


def view_works(run: Run, jobs: Iterable[Job]) -> Iterator[Work]:
    """Yield the training of each network of one view.

    Raises:
        CohortError: a label has no training clip.
    """
    population = run.population
    for job in jobs:
        items, classes = population.items(job, "train"), population.classes(job.task)
        missing = set(range(len(classes))) - {item.label for item in items}
        if missing:
            names = ", ".join(classes[i] for i in sorted(missing))
            raise CohortError(
                f"Training {job}: no training clip is labelled {names}. Add patients, or "
                f"{_way_out(job)}."
            )
        own = run.parts[job.approach].recipe
        digest, recipe = own.training_digest(), with_start(own, job.view)
        folder = run.folder
        yield Work(
            job, recipe, items, classes, make_model, TrainingSequences, digest, folder.store,
            folder.models,
        )  # fmt: skip


def _way_out(job: Job) -> str:
    """Suggest how to run without a network that lacks a label."""
    advice = f"leave the view {job.view} out of views.use"
    if job.view == TOGETHER:
        advice = "leave the label out of the task"
    return advice if job.fold is None else f"{advice}, or train no inner networks: crossfit.folds=0"
