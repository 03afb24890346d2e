"""Measure the calibration of a run: `calibration.json`.

Temperatures and label sets are fitted on cross-fitted predictions of training patients; held-out
patients are only evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from jaxtyping import Float

from echokit.clips.labels import Labelled
from echokit.components.slots import make_aggregator
from echokit.evaluation import reliability
from echokit.evaluation.calibration import apply_temperature, fit_temperature, top_label
from echokit.evaluation.fitted import mean_of_views
from echokit.evaluation.rows import CalibrationRow, TemperedFigures
from echokit.evaluation.summary import mean_sd
from echokit.interfaces import Aggregator, SupportsFit
from echokit.recipe import Recipe
from echokit.runs.context import Run
from echokit.system.files import write_json
from echokit.voting.table import (
    APPROACH,
    PATIENT,
    SPLIT,
    TASK,
    VIEW,
    Place,
    PredictionTable,
    Row,
)

WITHOUT = (
    "No temperature and no label sets: both are fitted on predictions of training patients by "
    "networks that did not learn from them, and this run made none (crossfit.folds is 0)."
)
APPROXIMATE = (
    "Temperatures and label sets are fitted on training patients, predicted by inner networks that "
    "learned from fewer patients than the networks that predict held-out patients. Their nominal "
    "levels therefore hold approximately; the levels measured on held-out patients are shown too."
)
UNFITTED = (
    "{}, {}, {}: no temperature and no label sets, because in some split no training patient with "
    "this view, or with one of its views, was predicted by an inner network."
)
LEARNED = (
    "The voting rule of views is fitted on training patients. Temperatures and label sets of view "
    "sets are fitted on the same patients and therefore use the mean of the views' probabilities "
    "instead of that rule."
)


def step(run: Run) -> str:
    """Measure the calibration of held-out predictions; write `calibration.json`."""
    crossfit = run.crossfit
    notes = [APPROXIMATE if len(crossfit) else WITHOUT]
    vote = make_aggregator(run.recipe.aggregate.subject)
    if isinstance(vote, SupportsFit):
        vote = mean_of_views
        notes += [LEARNED] if len(crossfit) else []
    rows: list[CalibrationRow] = []
    groups = list(run.held_out.groups(TASK, APPROACH))
    with run.progress.bar("Calibrating", len(groups), "tasks and approaches") as tick:
        for (task, approach), held_out in groups:
            case = _Case(
                task,
                approach,
                held_out,
                crossfit.where(task=task, approach=approach),
                run.population.labelled[task],
                run.recipe,
                vote,
            )
            for row in case.rows():
                rows.append(row)
                if len(crossfit) and not (row["tempered"] and row["conformal"]):
                    notes.append(UNFITTED.format(task, approach, row["views"]))
            tick(1)
    synthetic = run.population.cohort.synthetic
    document = {"schema": 1, "synthetic": synthetic, "rows": rows, "notes": notes}
    write_json(run.folder.path / "calibration.json", document)
    without = "" if len(crossfit) else ", without cross-fitting"
    return f"{len(rows)} rows of calibration{without}"


@dataclass(frozen=True, slots=True)
class _Case:
    """One task and approach."""

    task: str
    approach: str
    held_out: PredictionTable
    training: PredictionTable
    """Predictions of training patients by networks that did not learn from them; may be empty."""
    labels: Labelled
    recipe: Recipe
    vote: Aggregator
    """The voting rule of views."""

    def rows(self) -> Iterator[CalibrationRow]:
        """Yield one row of the document for each view, then for each set of views."""
        temperatures = self._temperatures()
        tempered = self._temper(temperatures)
        for (view,), raw in self.held_out.views.groups(VIEW):
            yield self._row(
                view,
                raw,
                raw,
                tempered.where(view=view),
                self.training.views.where(view=view),
                [t for (_, name), t in temperatures.items() if name == view],
            )
        for (name,), raw in self.held_out.subjects.groups(VIEW):
            members = self.recipe.used_view_sets.get(name, ())
            voting, warm, fitted = (
                table.where(view=members)
                for table in (self.held_out.views, tempered, self.training.views)
            )
            if len(warm) < len(voting):  # votes of fewer views have other confidences
                warm = fitted = PredictionTable(fitted.frame[:0])
            votes = [self._vote(name, table) for table in (voting, warm, fitted)]
            yield self._row(name, raw, votes[0], votes[1], votes[2], [])

    def _temperatures(self) -> dict[tuple[int, str], float]:
        """Fit a temperature for each (split, view), on sequences of training patients."""
        return {
            (int(split), str(view)): fit_temperature(
                rows.probabilities, rows.truth(self.labels.classes)
            )
            for (split, view), rows in self.training.sequences.groups(SPLIT, VIEW)
        }

    def _temper(self, temperatures: Mapping[tuple[int, str], float]) -> PredictionTable:
        """Return the views' rows with the mean of their sequences' tempered probabilities.

        Rows of splits and views without a temperature are left out.
        """
        means: dict[tuple[int, str], Float[np.ndarray, " K"]] = {}
        for (split, view), rows in self.held_out.sequences.groups(SPLIT, VIEW):
            temperature = temperatures.get((int(split), str(view)))
            if temperature is not None:
                tempered = apply_temperature(rows.probabilities, temperature)
                clips = rows.clips
                for clip in np.unique(clips):
                    means[int(split), clip] = tempered[clips == clip].mean(axis=0)
        views = self.held_out.views
        places = zip(views.split.tolist(), views.clips.tolist(), strict=True)
        return views.with_probabilities([means.get(place) for place in places])

    def _vote(self, name: str, views: PredictionTable) -> PredictionTable:
        """Apply the voting rule again to views with other probabilities."""
        classes = self.labels.classes
        return PredictionTable.of(
            Row(
                "subject",
                Place("", "", name, int(split)),
                str(patient),
                self.labels.patients[str(patient)],
                self.vote(clips.votes(classes)),
            )
            for (split, patient), clips in views.groups(SPLIT, PATIENT)
        )

    def _row(
        self,
        views: str,
        raw: PredictionTable,
        scored: PredictionTable,
        warm: PredictionTable,
        training: PredictionTable,
        temperatures: Sequence[float],
    ) -> CalibrationRow:
        """Compute one row of the document.

        Args:
            views: a view, or a set of views.
            raw: held-out predictions as the run made them.
            scored: the same predictions, made in the same way as those of `training`.
            warm: the same predictions, tempered; fewer if a temperature is missing.
            training: predictions of training patients, by networks that did not learn from them.
            temperatures: temperatures of this view, one for each split.
        """
        seed, classes = crc32(f"{self.recipe.seed} {views}".encode()), self.labels.classes
        untempered = _outcomes(raw, classes)
        best, tempered = untempered, None
        if len(warm) == len(raw):
            best = _outcomes(warm, classes)
            tempered = TemperedFigures(
                temperature=mean_sd(temperatures),
                **reliability.probability_calibration(best, seed),
            )
        sets = None
        if len(scored) == len(raw) and len(training):
            sets = reliability.label_set_figures(
                _outcomes(scored, classes), _outcomes(training, classes), classes
            )
        return CalibrationRow(
            task=self.task,
            approach=self.approach,
            views=views,
            n_subjects=raw.n_subjects,
            n_predictions=len(raw),
            n_splits=raw.n_splits,
            classes=list(classes),
            vote=reliability.confidence_calibration(raw.confidence, raw.correct, raw.split, seed),
            raw=reliability.probability_calibration(untempered, seed),
            tempered=tempered,
            selective=reliability.selective_figures(
                *top_label(best.probabilities, best.truth), best.split
            ),
            conformal=sets,
        )


def _outcomes(table: PredictionTable, classes: tuple[str, ...]) -> reliability.LabelledPredictions:
    return reliability.LabelledPredictions(table.split, table.truth(classes), table.probabilities)
