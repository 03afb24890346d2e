"""What a model knows of its own limits: calibration, what its training clips were, its record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from echokit.evaluation.fitted import Fitted, mean_of_views
from echokit.interfaces import Aggregator, SupportsFit
from echokit.novelty.detector import SUFFIX, Detector, load_detector
from echokit.studies.outcomes import ClipResult
from echokit.system.checked import read_rows
from echokit.types import Prediction
from echokit.voting.votes import vote_views

NOT_FITTED = (
    "Not calibrated: probabilities are the networks' own, which are often too high, because the "
    "run made no predictions of training patients to fit temperatures on (crossfit.folds is 0)."
)
OLD_BUNDLE = (
    "Not calibrated: probabilities are the networks' own, which are often too high, because the "
    "bundle holds no calibration. Export it again of a run with crossfit.folds=2."
)
INCOMPLETE = (
    "Not calibrated: probabilities are the networks' own, because no temperature was fitted for {}."
)
RECORDS = {"held-out": "metrics.json", "external": "external.json"}
"""Kind of patients -> the run's file of figures on them."""
FIGURES = ("f1", "balanced_accuracy")
"""Metrics of a record."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run fitted and measured for one task and approach."""

    fitted: Callable[[], Fitted] = field(default=Fitted)
    """Reads what calibrates predictions; called once, when the first clip is predicted."""
    nothing_fitted: str = NOT_FITTED
    """Why nothing was fitted, in a sentence, where that is so."""
    detectors: Mapping[str, Path] = field(default_factory=dict)
    """View -> the file of what notices clips unlike its training clips."""
    record: tuple[Mapping[str, Any], ...] = ()
    """How well the networks did; see `StudyResult.record`."""
    unlearned: Mapping[str, str] = field(default_factory=dict)
    """View -> why its network counts as one that did not learn."""
    kept: dict[str, Detector] = field(default_factory=dict)
    """View -> its detector, once it was opened."""

    def detector(self, view: str) -> Detector | None:
        """Open the detector of a view, once; None where there is none."""
        if view not in self.detectors:
            return None
        if view not in self.kept:
            self.kept[view] = load_detector(self.detectors[view])
        return self.kept[view]

    def calibrate_subject(
        self,
        clips: Sequence[ClipResult],
        votes: Prediction,
        classes: tuple[str, ...],
        rule: Aggregator,
    ) -> tuple[Mapping[str, float] | None, tuple[str, ...] | None]:
        """Calibrate the prediction of a patient, as the run's own calibration was measured.

        Args:
            clips: the clips that voted.
            votes: what the rule made of them.
            classes: label names, least severe first.
            rule: the voting rule of views; one that learns is replaced by the mean of views.

        Returns:
            Calibrated probabilities and the label set; None of either that was not fitted.
        """
        learns = isinstance(rule, SupportsFit)
        vote = mean_of_views if learns else rule
        views = [clip.view for clip in clips]
        tempered = [clip.calibrated_probabilities for clip in clips]
        probabilities = None
        if all(one is not None for one in tempered):
            warm = [
                (clip.view, _prediction(clip, one or {}))
                for clip, one in zip(clips, tempered, strict=True)
            ]
            shares = vote_views(warm, classes, vote).probabilities
            probabilities = dict(zip(classes, map(float, shares), strict=True))
        if learns:
            raw = [(clip.view, _prediction(clip, clip.probabilities)) for clip in clips]
            votes = vote_views(raw, classes, vote)
        held = self.fitted().of_subject(views, votes.probabilities)
        return probabilities, None if held is None else tuple(classes[i] for i in held)

    def why_uncalibrated(self, clips: Iterable[ClipResult]) -> str:
        """Say why the probabilities of some clips are not calibrated; empty if they are."""
        if not self.fitted().temperatures:
            return self.nothing_fitted
        missing = dict.fromkeys(clip.view for clip in clips if not clip.calibrated)
        return INCOMPLETE.format(", ".join(missing)) if missing else ""


def _prediction(clip: ClipResult, probabilities: Mapping[str, float]) -> Prediction:
    return Prediction(clip.label, clip.confidence, np.array(list(probabilities.values())))


def detector_files(folder: Path, views: Iterable[str]) -> dict[str, Path]:
    """Find the detectors in a folder that holds one file for each view."""
    files = {view: folder / f"{view}{SUFFIX}" for view in views}
    return {view: file for view, file in files.items() if file.is_file()}


def read_unlearned(run: Path, task: str, approach: str) -> dict[str, str]:
    """Read which views' networks of a run's first split did not learn, and why."""
    path = run / "learning.json"
    keys = ("task", "approach", "view", "split", "reason")
    rows = read_rows(path, keys) if path.is_file() else ()
    place = (task, approach, 0)
    return {
        row["view"]: row["reason"]
        for row in rows
        if (row["task"], row["approach"], row["split"]) == place and row["reason"]
    }


def read_record(
    run: Path, task: str, approach: str, view_sets: Mapping[str, Sequence[str]]
) -> tuple[Mapping[str, Any], ...]:
    """Read how well the networks of a run did, from its result files."""
    rows: list[Mapping[str, Any]] = []
    for kind, name in RECORDS.items():
        path = run / name
        keys = ("task", "approach", "views", "n_subjects", "n_splits")
        found = read_rows(path, keys) if path.is_file() else ()
        own = [row for row in found if (row["task"], row["approach"]) == (task, approach)]
        rows += _record_rows(kind, own, view_sets)
    return tuple(rows)


def _record_rows(
    kind: str, rows: Iterable[Mapping[str, Any]], view_sets: Mapping[str, Sequence[str]]
) -> Iterator[dict[str, Any]]:
    for row in rows:
        figures = {name: row[name] for name in FIGURES if row.get(name)}
        yield {
            "patients": kind,
            "views": row["views"],
            "members": list(view_sets.get(row["views"], [row["views"]])),
            "n_subjects": row["n_subjects"],
            "n_splits": row["n_splits"],
            **figures,
        }
