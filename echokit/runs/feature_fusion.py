"""Train networks of all views in a run, and predict from every subset of the views."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import combinations

from echokit.components.networks import load_fused, make_fused
from echokit.errors import CohortError
from echokit.networks.fused import SubjectSequences, encode_subject, votes_of_subsets
from echokit.networks.job import Job
from echokit.recipe import Recipe
from echokit.runs.context import Run
from echokit.runs.jobs import FEATURE_FUSION, Work, fused_jobs
from echokit.types import Votes
from echokit.voting.subset_table import SubsetRow, SubsetTable


def fused_works(run: Run) -> Iterator[Work]:
    """Yield the training of each network of all views.

    Raises:
        CohortError: a label has no training patient.
    """
    fusion, views = run.recipe.feature_fusion, run.recipe.views.use
    for job in fused_jobs(run):
        items, classes = run.population.subjects(job, "train", views), run.population.classes
        if len({item.label for item in items}) < len(classes(job.task)):
            raise CohortError(f"Training {job}: a label has no training patient. Add patients.")
        # patients are fewer than clips: the same number of epochs would train on fewer sequences
        recipe = _with_epochs(run.parts[job.approach].recipe, fusion.epochs)
        yield Work(
            job=job,
            recipe=recipe,
            items=items,
            classes=classes(job.task),
            make=make_fused,
            sequences=partial(SubjectSequences, drop=fusion.drop),
            digest=f"{recipe.training_digest()}-{fusion.embedding}-{fusion.drop}-{'+'.join(views)}",
            store=run.folder.store,
            models=run.folder.models,
        )


def _with_epochs(recipe: Recipe, epochs: int | None) -> Recipe:
    if epochs is None:
        return recipe
    train = recipe.train.model_copy(update={"epochs": epochs})
    return recipe.model_copy(update={"train": train})


def predict_fused(run: Run) -> None:
    """Predict held-out patients by networks of all views; write `fusion.parquet`.

    There is one prediction for each patient and subset of the views.
    """
    run.folder.feature_fusion.unlink(missing_ok=True)
    jobs, views = fused_jobs(run), run.recipe.views.use
    if not jobs:
        return
    total = sum(len(run.population.subjects(job, "test", views)) for job in jobs)
    rows: list[SubsetRow] = []
    with run.progress.bar("Fusing features of views", total, "patients") as tick:
        for job in jobs:
            for predictions in _predict_subjects(run, job):
                rows += predictions
                tick(1)
    SubsetTable.of(rows).write(run.folder.feature_fusion)


def _predict_subjects(run: Run, job: Job) -> Iterator[list[SubsetRow]]:
    """Yield each patient's predictions, one for each subset of views."""
    parts, classes, views = (
        run.parts[job.approach],
        run.population.classes(job.task),
        run.recipe.views.use,
    )
    network = load_fused(parts.recipe, len(classes), run.weights(job))
    sizes = range(1, len(views) + 1)
    subsets = [chosen for size in sizes for chosen in combinations(range(len(views)), size)]
    for subject in run.population.subjects(job, "test", views):
        features = encode_subject(network, subject, run.store, parts.voting)
        rows = []
        for subset, probabilities in votes_of_subsets(network, features, subsets):
            voters = tuple(map(str, range(len(probabilities))))
            votes = Votes(classes, voters, probabilities.argmax(1), probabilities)
            rows.append(
                SubsetRow(
                    method=FEATURE_FUSION,
                    task=job.task,
                    approach=job.approach,
                    split=job.split,
                    patient=subject.patient,
                    views=tuple(views[view] for view in subset),
                    label=classes[subject.label],
                    prediction=parts.view_rule(votes),
                )
            )
        yield rows
