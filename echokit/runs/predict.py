"""Predict held-out patients: `predictions.parquet`, and with feature fusion `fusion.parquet`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from echokit.components.slots import make_abstention
from echokit.engines.eager import run_eagerly
from echokit.networks.job import Job
from echokit.runs.context import Run
from echokit.runs.feature_fusion import predict_fused
from echokit.runs.jobs import jobs_of
from echokit.voting.subjects import vote_subjects
from echokit.voting.table import Place, PredictionTable, Row
from echokit.voting.votes import sequence_predictions, vote_clips


def step(run: Run) -> str:
    """Predict every held-out clip and subject."""
    clips = list(predict_clips(run, jobs_of(run), "Predicting held-out clips"))
    views = PredictionTable.of(clips).views
    table = PredictionTable.of([*clips, *predict_subjects(run, views)])
    table.write(run.folder.predictions)
    predict_fused(run)
    subjects = table.subjects
    left_out = sum(map(bool, subjects.abstained))
    summary = f"{len(views)} clips, {len(subjects)} subject predictions"
    return f"{summary}, {left_out} of them not judged" if left_out else summary


def predict_clips(run: Run, jobs: Sequence[Job], title: str) -> Iterator[Row]:
    """Predict the sequences and clips that each job's network did not learn from.

    Args:
        run: the run.
        jobs: the networks.
        title: title of the progress bar.
    """
    total = sum(len(run.population.items(job, "test")) for job in jobs) * run.recipe.sequences.n
    with run.progress.bar(title, total, "sequences") as tick:
        for job in jobs:
            for row in _predict_job(run, job):
                yield row
                tick(row.level == "sequence")


def _predict_job(run: Run, job: Job) -> Iterator[Row]:
    """Predict the clips of one network."""
    items, parts = run.population.items(job, "test"), run.parts[job.approach]
    if not items:
        return
    classes = run.population.classes(job.task)
    place = Place(job.task, job.approach, job.view, job.split)
    patient_of = {ref.clip: ref.patient for ref in run.population.cohort.clips}
    forward = run_eagerly(run.network(job)).forward
    for voted in vote_clips(forward, items, classes, run.store, parts.voting, parts.view_rule):
        clip, label = voted.item.clip, classes[voted.item.label]
        patient = patient_of[clip]
        for start, prediction in zip(voted.starts, sequence_predictions(voted.votes), strict=True):
            yield Row("sequence", place, patient, label, prediction, clip, start)
        yield Row("view", place, patient, label, voted.prediction, clip)


def predict_subjects(run: Run, views: PredictionTable) -> Iterator[Row]:
    """Predict every subject with every set of views, from the predictions of its clips."""
    return vote_subjects(
        views,
        run.population.classes_by_task,
        {task: labels.patients for task, labels in run.population.labelled.items()},
        run.recipe.used_view_sets,
        cache(run.subject_rule),  # rules that learn are fitted once for each split
        make_abstention(run.recipe),
    )
