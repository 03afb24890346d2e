"""Fit what notices clips unlike the training clips: `novelty/`, and `novelty.json` about it.

A detector for each view of the networks that predict studies: those of the first split. Held-out
patients are only counted: how many of their clips it would turn away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from echokit.clips.sequences import Item
from echokit.components.networks import load_featured
from echokit.engines.eager import run_eagerly
from echokit.engines.engine import Both
from echokit.networks.job import Job
from echokit.novelty.detector import (
    LEAST,
    SUFFIX,
    Detector,
    TrainingFeatures,
    fit_detector,
    save_detector,
)
from echokit.novelty.distance import fit_normal, left_out_distances
from echokit.novelty.features import clip_features
from echokit.novelty.statistics import describe
from echokit.recipe import TOGETHER
from echokit.runs.context import Run
from echokit.system.files import write_json
from echokit.voting.votes import sample

FOLDS = 10
"""Groups of training patients that are left out in turn, where no inner networks are."""
FEW = (
    "{}: it has {} training clips, and from fewer than {} nothing is fitted: no clip is turned "
    "away for being unlike them."
)
BLIND = (
    "{}: features of the network cannot be read, because its logits do not come of a linear layer. "
    "Only the frames of clips are compared."
)
OWN = (
    "Without cross-fitting (crossfit.folds is 0) the usual distance in features is taken from "
    "patients whom the network learned from: new patients are turned away more often than stated."
)


def step(run: Run) -> str:
    """Fit a detector for each view of the first split's networks."""
    recipe, rows, notes = run.recipe, list[dict[str, Any]](), list[str]()
    places = [
        Job(task, recipe.enabled_approaches[0], view, 0)
        for task in run.population.labelled
        if task not in recipe.view_tasks
        for view in recipe.views.use
    ]
    with run.progress.bar("Describing training clips", len(places), "views") as tick:
        for place in places:
            case = _case(run, place)
            n = len(case.training)
            if n < LEAST:
                notes += [FEW.format(place.view, n, LEAST)] if n else []
            else:
                detector = _fit(case, notes)
                path = run.folder.novelty / place.stem.parent.with_suffix(SUFFIX)
                save_detector(detector, path)
                rows.append(_row(place, detector, case))
            tick(1)
    if any(row["features"] == "own network" for row in rows):
        notes.append(OWN)
    document = {"schema": 1, "rows": rows, "notes": list(dict.fromkeys(notes))}
    write_json(run.folder.path / "novelty.json", document)
    return f"{len(rows)} detectors of clips unlike the training clips"


@dataclass(frozen=True, slots=True)
class _Case:
    """The clips of one view of one task, and its networks."""

    run: Run
    place: Job
    """Task, approach, view and split; the network may be that of all views."""
    training: list[Item]
    held_out: list[Item]
    patients: dict[str, str]
    """Clip -> patient."""

    def describe(self, items: Sequence[Item]) -> Float64[np.ndarray, "n d"]:
        store = self.run.store
        return np.stack([describe(store.clip(item.key)) for item in items])

    def network(self, fold: int | None) -> Both | None:
        """Open a network that gives features; None if it gives none."""
        together = self.run.recipe.views.together
        job = replace(self.place, view=TOGETHER if together else self.place.view, fold=fold)
        spec = self.run.parts[job.approach].voting
        example = sample(self.training, self.run.store, spec)
        changed = load_featured(self.run.network(job), example)
        return None if changed is None else run_eagerly(changed).both

    def features(self, both: Both, items: Sequence[Item]) -> Float64[np.ndarray, "n F"]:
        spec = self.run.parts[self.place.approach].voting
        return clip_features(both, items, self.run.store, spec)

    def folds(self, count: int) -> list[np.ndarray]:
        """Divide the training clips, all of a patient's in one fold."""
        patients = [self.patients[item.clip] for item in self.training]
        place = {name: n % count for n, name in enumerate(dict.fromkeys(patients))}
        of_clip = np.array([place[name] for name in patients])
        folds = [np.flatnonzero(of_clip == number) for number in range(count)]
        return [fold for fold in folds if len(fold)]


def _case(run: Run, place: Job) -> _Case:
    population = run.population
    return _Case(
        run,
        place,
        population.items(place, "train"),
        population.items(place, "test"),
        {ref.clip: ref.patient for ref in population.cohort.clips},
    )


def _fit(case: _Case, notes: list[str]) -> Detector:
    both = case.network(None)
    if both is None:
        notes.append(BLIND.format(case.place.view))
        features = None
    else:
        features = _training_features(case, both)
    statistics = case.describe(case.training)
    return fit_detector(case.place.view, statistics, case.folds(FOLDS), features)


def _training_features(case: _Case, both: Both) -> TrainingFeatures:
    """Compute features, and distances of left-out clips, by inner networks where there are any."""
    rows = case.features(both, case.training)
    population, place = case.run.population, case.place
    inner = population.folds[place.task][place.split]
    if not inner:
        return TrainingFeatures(rows, left_out_distances(rows, case.folds(FOLDS)), "own network")
    order = {item.clip: number for number, item in enumerate(case.training)}
    left_out = np.full(len(rows), np.nan)
    for fold in inner:
        job = replace(place, fold=fold.index)
        network = case.network(fold.index)
        assert network is not None, "inner networks are built like the others"
        known = case.features(network, population.items(job, "train"))
        unknown = population.items(job, "test")
        if unknown:
            distances = fit_normal(known).distance(case.features(network, unknown))
            left_out[[order[item.clip] for item in unknown]] = distances
    return TrainingFeatures(rows, left_out, "inner networks")


def _row(place: Job, detector: Detector, case: _Case) -> dict[str, Any]:
    """Return the detector's entry of `novelty.json`."""
    alarms = 0
    if case.held_out:
        seen = [None] * len(case.held_out)
        if detector.features is not None and (both := case.network(None)) is not None:
            seen = list(case.features(both, case.held_out))
        described = case.describe(case.held_out)
        alarms = sum(
            detector.judge(row, features).is_novel
            for row, features in zip(described, seen, strict=True)
        )
    return {
        "task": place.task,
        "approach": place.approach,
        "view": place.view,
        "threshold": detector.threshold,
        **detector.facts,
        "held_out_clips": len(case.held_out),
        "held_out_false_alarms": alarms,
    }
