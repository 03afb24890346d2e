"""Held-out predictions: sequences vote for views, views for subjects; `predictions.parquet`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.clips.store import Store
from echokit.components import make_aggregator, make_sequence_spec, subject_rule
from echokit.folder import RunFolder
from echokit.interfaces import Aggregator
from echokit.recipe import Recipe
from echokit.runs.fused import predict_joint
from echokit.runs.jobs import inner_jobs, jobs_of, load_network
from echokit.runs.population import Study
from echokit.system.files import whole_file
from echokit.system.progress import Progress

if TYPE_CHECKING:
    from echokit.networks.job import Job


def crossfit_all(study: Study, recipe: Recipe, folder: RunFolder, progress: Progress) -> str:
    """Let inner networks judge the training patients they did not learn from.

    Writes `crossfit.parquet`, columns as in `predictions.parquet`, without subjects.
    """
    path = folder.path / "crossfit.parquet"
    path.unlink(missing_ok=True)
    jobs = inner_jobs(study, recipe)
    if not jobs:
        return "nothing asked"
    rows = _clip_rows(jobs, study, recipe, folder, progress, "Predicting training clips")
    _write(rows, path)
    return f"{sum(row['level'] == 'view' for row in rows)} clips of training patients"


def predict_all(study: Study, recipe: Recipe, folder: RunFolder, progress: Progress) -> str:
    """Let held-out sequences, views and subjects vote; write `predictions.parquet`."""
    jobs = jobs_of(study, recipe)
    rows = _clip_rows(jobs, study, recipe, folder, progress, "Predicting held-out clips")
    rows += _subject_rows(rows, study, recipe, folder)
    _write(rows, folder.predictions)
    predict_joint(study, recipe, folder, progress)
    clips = sum(row["level"] == "view" for row in rows)
    return f"{clips} clips, {sum(row['level'] == 'subject' for row in rows)} subject predictions"


def _clip_rows(
    jobs: list[Job],
    study: Study,
    recipe: Recipe,
    folder: RunFolder,
    progress: Progress,
    title: str,
) -> list[dict[str, Any]]:
    """Sequence and view predictions of the clips that each job's network did not learn from."""
    patient_of = {ref.clip: ref.patient for ref in study.cohort.clips}
    total = sum(len(study.items(job, "test")) for job in jobs) * recipe.sequences.n
    rows: list[dict[str, Any]] = []
    with progress.bar(title, total, "sequences") as tick:
        for job in jobs:
            for row in _view_rows(job, study, recipe, folder):
                rows.append(row | {"patient": patient_of[row["clip"]]})
                tick(row["level"] == "sequence")
    return rows


def _write(rows: list[dict[str, Any]], path: Path) -> None:
    import pandas as pd

    with whole_file(path) as partial:
        pd.DataFrame(rows).to_parquet(partial, index=False)


def _view_rows(
    job: Job, study: Study, recipe: Recipe, folder: RunFolder
) -> Iterator[dict[str, Any]]:
    from echokit.engines.eager import run_eagerly
    from echokit.voting import votes as predict

    recipe = recipe.of_approach(job.approach)
    classes = study.labelled[job.task].classes
    items = study.items(job, "test")
    if not items:
        return
    voted = predict.vote_clips(
        run_eagerly(load_network(job, recipe, len(classes), folder)).forward,
        items,
        classes,
        Store(folder.store),
        make_sequence_spec(recipe, training=False),
        make_aggregator(recipe.aggregate.view),
    )
    for clip in voted:
        place = job.place | {"clip": clip.item.clip}
        truth = classes[clip.item.label]
        single = predict.sequence_predictions(clip.votes)
        for start, prediction in zip(clip.starts, single, strict=True):
            yield predict.row("sequence", truth, prediction, **place, start=start)
        yield predict.row("view", truth, clip.prediction, **place)


def _subject_rows(
    rows: Iterable[Mapping[str, Any]], study: Study, recipe: Recipe, folder: RunFolder
) -> Iterator[dict[str, Any]]:
    import numpy as np

    from echokit.types import Prediction
    from echokit.voting import votes as predict

    ballots: dict[tuple[str, str, int, str], list[tuple[str, Prediction]]] = {}
    for row in rows:
        if row["level"] == "view":
            prediction = Prediction(
                row["predicted"], row["confidence"], np.array(row["probabilities"])
            )
            place = (row["task"], row["approach"], row["split"], row["patient"])
            ballots.setdefault(place, []).append((row["view"], prediction))

    @cache
    def rule(task: str, approach: str, split: int) -> Aggregator:
        classes, inner = study.labelled[task].classes, folder.path / "crossfit.parquet"
        return subject_rule(recipe, inner, classes, task=task, approach=approach, split=split)

    for views, members in recipe.used_view_sets.items():
        for (task, approach, split, patient), ballot in ballots.items():
            voting = [(view, prediction) for view, prediction in ballot if view in members]
            if voting:
                labels = study.labelled[task]
                yield predict.row(
                    "subject",
                    labels.patients[patient],
                    predict.vote_views(voting, labels.classes, rule(task, approach, split)),
                    task=task,
                    approach=approach,
                    split=split,
                    view=views,
                    patient=patient,
                )
