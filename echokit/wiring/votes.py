"""Held-out predictions: sequences vote for views, views for subjects; `predictions.parquet`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from echokit.files import whole
from echokit.folder import RunFolder
from echokit.progress import Progress
from echokit.recipe import Recipe
from echokit.stages.store import Store
from echokit.wiring.components import make_aggregator, make_sequence_spec
from echokit.wiring.networks import jobs_of, load_network
from echokit.wiring.population import Study

if TYPE_CHECKING:
    from echokit.stages.train import Job


def predict_all(study: Study, recipe: Recipe, folder: RunFolder, progress: Progress) -> str:
    """Let held-out sequences, views and subjects vote; write `predictions.parquet`."""
    import pandas as pd

    jobs = jobs_of(study, recipe)
    patient_of = {ref.clip: ref.patient for ref in study.cohort.clips}
    total = sum(len(study.items(job, "test")) for job in jobs) * recipe.sequences.n
    rows: list[dict[str, Any]] = []
    with progress.bar("Predicting held-out clips", total, "sequences") as tick:
        for job in jobs:
            for row in _view_rows(job, study, recipe, folder):
                rows.append(row | {"patient": patient_of[row["clip"]]})
                tick(row["level"] == "sequence")
    rows += _subject_rows(rows, study, recipe)
    with whole(folder.predictions) as partial:
        pd.DataFrame(rows).to_parquet(partial, index=False)
    return f"{sum(row['level'] == 'subject' for row in rows)} subject predictions"


def _view_rows(
    job: Job, study: Study, recipe: Recipe, folder: RunFolder
) -> Iterator[dict[str, Any]]:
    from echokit.stages import predict

    recipe = recipe.of_approach(job.approach)
    classes = study.labelled[job.task].classes
    items = study.items(job, "test")
    if not items:
        return
    voted = predict.vote_clips(
        load_network(job, recipe, len(classes), folder),
        items,
        classes,
        Store(folder.store),
        make_sequence_spec(recipe, training=False),
        make_aggregator(recipe.aggregate.view),
    )
    for clip in voted:
        place = asdict(job) | {"clip": clip.item.clip}
        truth = classes[clip.item.label]
        single = predict.sequence_predictions(clip.votes)
        for start, prediction in zip(clip.starts, single, strict=True):
            yield predict.row("sequence", truth, prediction, **place, start=start)
        yield predict.row("view", truth, clip.prediction, **place)


def _subject_rows(
    rows: Iterable[Mapping[str, Any]], study: Study, recipe: Recipe
) -> Iterator[dict[str, Any]]:
    import numpy as np

    from echokit.stages import predict
    from echokit.types import Prediction

    ballots: dict[tuple[str, str, int, str], list[tuple[str, Prediction]]] = {}
    for row in rows:
        if row["level"] == "view":
            prediction = Prediction(
                row["predicted"], row["confidence"], np.array(row["probabilities"])
            )
            place = (row["task"], row["approach"], row["split"], row["patient"])
            ballots.setdefault(place, []).append((row["view"], prediction))
    aggregate = make_aggregator(recipe.aggregate.subject)
    for views, members in recipe.used_view_sets.items():
        for (task, approach, split, patient), ballot in ballots.items():
            voting = [(view, prediction) for view, prediction in ballot if view in members]
            if voting:
                labels = study.labelled[task]
                yield predict.row(
                    "subject",
                    labels.patients[patient],
                    predict.vote_views(voting, labels.classes, aggregate),
                    task=task,
                    approach=approach,
                    split=split,
                    view=views,
                    patient=patient,
                )
