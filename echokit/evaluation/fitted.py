"""What a run fitted for its predictions of studies: temperatures, and scores for label sets.

Both come from cross-fitted predictions of the first split's training patients, as in the run's
calibration, and serve the networks of that split, with which studies are predicted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from echokit.evaluation.calibration import apply_temperature, fit_temperature
from echokit.interfaces import Aggregator
from echokit.types import Prediction, Votes

if TYPE_CHECKING:  # a bundle predicts without pandas until its votes are counted
    from echokit.voting.ballots import Ballot
    from echokit.voting.table import PredictionTable

LEVEL = 0.9
"""Frequency with which the label set of a study should hold the true label."""
MOST = 8
"""Views of which every subset gets a calibration; of more, single views and all of them do."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The scores of calibration patients, 1 - p(true label), that labels are compared with."""

    scores: tuple[tuple[float, ...], ...]
    """One tuple for all labels, or one for each label."""

    def label_set(self, probabilities: Float[np.ndarray, " K"], level: float) -> tuple[int, ...]:
        """Return the indices of the labels that the set at a level holds; see `conformal`."""
        held = []
        for label, share in enumerate(probabilities):
            scores = self.scores[label if len(self.scores) > 1 else 0]
            # the share of patients, the new one among them, of a score as high as this or higher
            higher = sum(score >= 1 - float(share) for score in scores)
            if (higher + 1) / (len(scores) + 1) >= 1 - level:
                held.append(label)
        return tuple(held)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What calibrates the predictions of one task and approach."""

    temperatures: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """View -> temperature of its network."""
    views: Mapping[str, Reference] = field(default_factory=lambda: MappingProxyType({}))
    """View -> scores of clips."""
    view_sets: Mapping[str, Reference] = field(default_factory=lambda: MappingProxyType({}))
    """Names of views, joined by `+` in the order of the alphabet -> scores of patients."""

    def of_clip(
        self, view: str, probabilities: Float[np.ndarray, "n K"], level: float = LEVEL
    ) -> tuple[Float[np.ndarray, " K"] | None, tuple[int, ...] | None]:
        """Calibrate the prediction of one clip.

        Args:
            view: its view.
            probabilities: of its sequences.
            level: of the label set.

        Returns:
            Calibrated probabilities and the label set; None of either that was not fitted.
        """
        temperature, reference = self.temperatures.get(view), self.views.get(view)
        tempered = None
        if temperature is not None:
            tempered = apply_temperature(probabilities, temperature).mean(axis=0)
        mean = np.asarray(probabilities, np.float64).mean(axis=0)
        return tempered, reference.label_set(mean, level) if reference else None

    def of_subject(
        self, views: Sequence[str], probabilities: Float[np.ndarray, " K"], level: float = LEVEL
    ) -> tuple[int, ...] | None:
        """Make the label set of a patient from the vote of these views, if that was fitted."""
        reference = self.view_sets.get(set_name(views))
        return reference.label_set(probabilities, level) if reference else None

    def as_json(self) -> dict[str, Any]:
        """Convert to plain values, from which `Fitted.from_json` reads them back."""
        return {
            "temperatures": dict(self.temperatures),
            "views": {name: _lists(one) for name, one in self.views.items()},
            "view_sets": {name: _lists(one) for name, one in self.view_sets.items()},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Fitted:
        """Read what `as_json` made."""
        return cls(
            dict(document["temperatures"]),
            {name: _reference(rows) for name, rows in document["views"].items()},
            {name: _reference(rows) for name, rows in document["view_sets"].items()},
        )


def set_name(views: Sequence[str]) -> str:
    """Name a set of views, whatever their order."""
    return "+".join(sorted(set(views)))


def mean_of_views(votes: Votes) -> Prediction:
    """Vote by the mean of the views' probabilities, in place of a rule that learns.

    A rule that was fitted on the same patients cannot be calibrated on them.
    """
    mean = votes.probabilities.mean(axis=0)
    return Prediction(votes.classes[int(mean.argmax())], float(mean.max()), mean)


def fit_predictions(
    training: PredictionTable, classes: tuple[str, ...], vote: Aggregator
) -> Fitted:
    """Fit temperatures and scores on cross-fitted predictions of one split.

    Args:
        training: rows of one task, approach and split; may be empty, and then nothing is fitted.
        classes: label names, least severe first.
        vote: the voting rule of views, which learns nothing.
    """
    from echokit.voting.ballots import ballots  # pandas

    if not len(training):
        return Fitted()
    temperatures = {
        str(view): fit_temperature(rows.probabilities, rows.truth(classes))
        for (view,), rows in training.sequences.groups("view")
    }
    views = {
        str(view): _scores(rows.probabilities, rows.truth(classes), len(classes))
        for (view,), rows in training.views.groups("view")
    }
    known = ballots(training, classes)
    sets = dict(_of_sets(sorted(views), known, len(classes), vote))
    return Fitted(temperatures, views, sets)


def _of_sets(
    views: Sequence[str], known: Sequence[Ballot], classes: int, vote: Aggregator
) -> Iterator[tuple[str, Reference]]:
    """Score the patients who have all views of a set, for each set that any patient has."""
    from echokit.voting.ballots import of_views

    sizes = range(1, len(views) + 1) if len(views) <= MOST else (1, len(views))
    for members in (chosen for size in sizes for chosen in combinations(views, size)):
        voting = [ballot for ballot in known if set(members) <= set(ballot.votes.voters)]
        if voting:
            outcomes = [vote(of_views(ballot.votes, members)) for ballot in voting]
            yield (
                set_name(members),
                _scores(
                    np.stack([outcome.probabilities for outcome in outcomes]),
                    np.array([ballot.truth for ballot in voting]),
                    classes,
                ),
            )


def _scores(
    probabilities: Float[np.ndarray, "n K"], truth: Int[np.ndarray, " n"], classes: int
) -> Reference:
    """Compute the scores, by label where every label has enough patients."""
    from echokit.evaluation.conformal import enough_by_label

    scores = 1 - probabilities[np.arange(len(truth)), truth]
    if enough_by_label(truth, classes, LEVEL):
        return Reference(tuple(_floats(scores[truth == label]) for label in range(classes)))
    return Reference((_floats(scores),))


def _floats(values: Float[np.ndarray, " n"]) -> tuple[float, ...]:
    return tuple(float(value) for value in np.sort(values))


def _lists(reference: Reference) -> list[list[float]]:
    return [list(scores) for scores in reference.scores]


def _reference(rows: Sequence[Sequence[float]]) -> Reference:
    return Reference(tuple(tuple(scores) for scores in rows))
