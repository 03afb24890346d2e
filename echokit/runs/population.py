"""The population of a run: a cohort that is prepared, labelled and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from echokit.clips.labels import Labelled
from echokit.clips.sequences import Item
from echokit.clips.splits import Split
from echokit.networks.fused import Subject
from echokit.networks.job import Job
from echokit.recipe import TOGETHER
from echokit.types import ClipRef, Cohort


@dataclass(frozen=True, slots=True)
class Population:
    """A cohort that is prepared, labelled and split."""

    cohort: Cohort
    labelled: Mapping[str, Labelled]
    """Task -> labels."""
    splits: Mapping[str, tuple[Split, ...]]
    """Task -> splits."""
    folds: Mapping[str, tuple[tuple[Split, ...], ...]]
    """Task -> for each split the folds of its training patients; empty without cross-fitting."""
    keys: Mapping[str, tuple[str, int]]
    """Clip -> (key in the store, number of frames)."""

    def classes(self, task: str) -> tuple[str, ...]:
        """Label names of a task, least severe first."""
        return self.labelled[task].classes

    @property
    def classes_by_task(self) -> dict[str, tuple[str, ...]]:
        """Task -> label names, least severe first."""
        return {task: labels.classes for task, labels in self.labelled.items()}

    @property
    def refs(self) -> dict[str, ClipRef]:
        """Clip -> its reference, by which the loader reads it."""
        return {ref.clip: ref for ref in self.cohort.clips}

    def items(self, job: Job, side: str) -> list[Item]:
        """List the labelled clips of a job's view, or of all views, on one side of its split."""
        labels, split = self.labelled[job.task], self.splits[job.task][job.split]
        if job.fold is not None:
            split = self.folds[job.task][job.split][job.fold]
        return [
            Item(ref.clip, *self.keys[ref.clip], labels.classes.index(labels.clips[ref.clip]))
            for ref in self.cohort.clips
            if job.view in (ref.view, TOGETHER)
            and ref.clip in labels.clips
            and split.side(ref.patient) == side
        ]

    def subjects(self, job: Job, side: str, views: Sequence[str]) -> list[Subject]:
        """List the labelled patients on one side of a job's split, with their clips by view."""
        labels, split = self.labelled[job.task], self.splits[job.task][job.split]
        clips: dict[str, dict[str, list[Item]]] = {}
        for ref in self.cohort.clips:
            if ref.clip in labels.clips and split.side(ref.patient) == side:
                item = Item(ref.clip, *self.keys[ref.clip], -1)
                clips.setdefault(ref.patient, {}).setdefault(ref.view or "", []).append(item)
        return [
            Subject(
                patient,
                tuple(tuple(by_view.get(view, ())) for view in views),
                labels.classes.index(labels.patients[patient]),
            )
            for patient, by_view in clips.items()
        ]
