"""Feature fusion within a run: its networks, and what they say from every subset of views."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from echokit.clips.store import Store
from echokit.components import (
    load_fused,
    make_aggregator,
    make_fused,
    make_sequence_spec,
)
from echokit.errors import CohortError
from echokit.folder import RunFolder
from echokit.recipe import Recipe
from echokit.runs.jobs import METHOD, joint_jobs
from echokit.runs.population import Study
from echokit.system.files import whole_file
from echokit.system.progress import Progress
from echokit.types import Votes

if TYPE_CHECKING:
    from echokit.networks.job import Job
    from echokit.runs.jobs import Work


def joint_works(study: Study, recipe: Recipe, folder: RunFolder) -> Iterator[Work]:
    """The training of networks over all views.

    Raises:
        CohortError: a label has no patient to learn from.
    """
    from echokit.networks.fused import SubjectSequences
    from echokit.runs.jobs import Work

    how = recipe.feature_fusion
    for job in joint_jobs(study, recipe):
        items, classes = study.subjects(job, "train", recipe.views.use), study.labelled[job.task]
        if len({item.label for item in items}) < len(classes.classes):
            raise CohortError(f"Training {job}: a label has no training patient. Add patients.")
        its = recipe.of_approach(job.approach)
        if how.epochs is not None:
            train = its.train.model_copy(update={"epochs": how.epochs})
            its = its.model_copy(update={"train": train})
        digest = f"{its.training_digest()}-{how.embedding}-{how.drop}-{'+'.join(recipe.views.use)}"
        draw = partial(SubjectSequences, drop=how.drop)
        yield Work(job, its, items, classes.classes, make_fused, draw, digest, folder)


def predict_joint(study: Study, recipe: Recipe, folder: RunFolder, progress: Progress) -> int:
    """Let networks over all views judge held-out patients; write `fusion.parquet`.

    Returns:
        How many predictions there are: one for each patient and subset of views.
    """
    import pandas as pd

    jobs = joint_jobs(study, recipe)
    path = folder.path / "fusion.parquet"
    path.unlink(missing_ok=True)
    if not jobs:
        return 0
    views = recipe.views.use
    total = sum(len(study.subjects(job, "test", views)) for job in jobs)
    rows: list[dict[str, Any]] = []
    with progress.bar("Fusing features of views", total, "patients") as tick:
        for job in jobs:
            for found in _subject_rows(job, study, recipe, folder):
                rows += found
                tick(1)
    with whole_file(path) as partial_file:
        pd.DataFrame(rows).to_parquet(partial_file, index=False)
    return len(rows)


def _subject_rows(
    job: Job, study: Study, recipe: Recipe, folder: RunFolder
) -> Iterator[list[dict[str, Any]]]:
    from echokit.networks.fused import encode_subject, votes_of_subsets

    its, classes = recipe.of_approach(job.approach), study.labelled[job.task].classes
    views = recipe.views.use
    network = load_fused(its, len(classes), (folder.models / job.stem).with_suffix(".safetensors"))
    spec, store = make_sequence_spec(its, training=False), Store(folder.store)
    aggregate = make_aggregator(recipe.aggregate.view)
    subsets = [
        s for size in range(1, len(views) + 1) for s in combinations(range(len(views)), size)
    ]
    for subject in study.subjects(job, "test", views):
        features = encode_subject(network, subject, store, spec)
        rows = []
        for subset, probabilities in votes_of_subsets(network, features, subsets):
            votes = Votes(
                classes=classes,
                voters=tuple(map(str, range(len(probabilities)))),
                labels=probabilities.argmax(1),
                probabilities=probabilities,
            )
            prediction = aggregate(votes)
            rows.append(
                {
                    "task": job.task,
                    "approach": job.approach,
                    "method": METHOD,
                    "split": job.split,
                    "patient": subject.patient,
                    "views": "+".join(views[view] for view in subset),
                    "label": classes[subject.label],
                    "predicted": prediction.label,
                    "confidence": float(prediction.confidence),
                    "probabilities": [float(p) for p in np.asarray(prediction.probabilities)],
                }
            )
        yield rows
