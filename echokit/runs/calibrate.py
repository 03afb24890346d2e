"""How far a run's figures can be trusted: `calibration.json`.

Everything that is fitted, temperatures and the scores that label sets rest on, is fitted on
cross-fitted predictions of training patients; held-out patients are only judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
from jaxtyping import Float

from echokit.components import make_aggregator
from echokit.folder import RunFolder
from echokit.interfaces import SupportsFit
from echokit.recipe import Recipe
from echokit.runs.population import Study
from echokit.system.files import write_json
from echokit.system.progress import Progress
from echokit.types import Prediction, Votes

if TYPE_CHECKING:
    import pandas as pd

    from echokit.evaluation.reliability import Judged
    from echokit.interfaces import Aggregator

WITHOUT = (
    "No temperature and no label sets: both are fitted on predictions of training patients by "
    "networks that did not learn from them, and this run made none (crossfit.folds is 0)."
)
APPROXIMATE = (
    "Temperatures and label sets are fitted on training patients, each judged by an inner network "
    "that learned from fewer patients than the one that judges the held-out patients. So what "
    "they promise holds approximately; what was reached on held-out patients stands beside it."
)
UNFITTED = (
    "{}, {}, {}: no temperature and no label sets, because in some split no training patient with "
    "this view, or with one of its views, was judged by an inner network."
)
LEARNED = (
    "The voting rule of views learns from training patients. So that nobody calibrates what was "
    "fitted on them, temperatures and label sets of view sets use the mean of the views' "
    "probabilities in its place."
)


def calibrate_all(study: Study, recipe: Recipe, folder: RunFolder, progress: Progress) -> str:
    """Judge probabilities and confidences of held-out predictions; write `calibration.json`.

    Reads `predictions.parquet` and, where there is one, `crossfit.parquet`.
    """
    import pandas as pd

    held_out = pd.read_parquet(folder.predictions)
    path = folder.path / "crossfit.parquet"
    inner = pd.read_parquet(path) if path.is_file() else pd.DataFrame()
    notes = [WITHOUT if inner.empty else APPROXIMATE]
    vote = make_aggregator(recipe.aggregate.subject)
    if isinstance(vote, SupportsFit):
        vote = _mean_of_views
        notes += [] if inner.empty else [LEARNED]
    rows: list[dict[str, Any]] = []
    groups = list(held_out.groupby(["task", "approach"], sort=False, observed=True))
    with progress.bar("Calibrating", len(groups), "tasks and approaches") as tick:
        for (task, approach), own in groups:
            training = inner
            if not inner.empty:
                training = inner[(inner["task"] == task) & (inner["approach"] == approach)]
            labels = study.labelled[str(task)]
            case = _Case(own, training, labels.classes, labels.patients, recipe, vote)
            for row in case.rows():
                rows.append({"task": str(task), "approach": str(approach)} | row)
                if not (inner.empty or (row["tempered"] and row["conformal"])):
                    notes.append(UNFITTED.format(task, approach, row["views"]))
            tick(1)
    synthetic = study.cohort.synthetic
    document = {"schema": 1, "synthetic": synthetic, "rows": rows, "notes": notes}
    write_json(folder.path / "calibration.json", document)
    return f"{len(rows)} rows of calibration" + (", without cross-fitting" * inner.empty)


class _Case:
    """One task and approach: its held-out predictions and those of its training patients."""

    def __init__(
        self,
        held_out: pd.DataFrame,
        inner: pd.DataFrame,
        classes: tuple[str, ...],
        patients: Mapping[str, str],
        recipe: Recipe,
        vote: Aggregator,
    ) -> None:
        self.held_out, self.inner = held_out, inner
        self.classes, self.patients, self.vote = classes, patients, vote
        self.index = {name: i for i, name in enumerate(classes)}
        self.sets, self.seed = recipe.used_view_sets, recipe.seed

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row of the document for each view, then for each set of views."""
        temperatures = self._temperatures()
        views = _rows_of(self.held_out, "level", "view")
        calibrating = _rows_of(self.inner, "level", "view")
        softened = self._soften(views, temperatures)
        for view, raw in views.groupby("view", sort=False, observed=True):
            yield self._row(
                str(view),
                raw,
                raw,
                _rows_of(softened, "view", view),
                _rows_of(calibrating, "view", view),
                [t for (_, v), t in temperatures.items() if v == view],
            )
        subjects = _rows_of(self.held_out, "level", "subject")
        for name, raw in subjects.groupby("view", sort=False, observed=True):
            members = self.sets.get(str(name), ())
            voting, soft, fitted = (
                table[table["view"].isin(members)] if len(table) else table
                for table in (views, softened, calibrating)
            )
            if len(soft) < len(voting):  # votes of fewer views are scored unlike those of all
                soft = fitted = fitted[:0]
            voted = [self._vote(table) for table in (voting, soft, fitted)]
            yield self._row(str(name), raw, voted[0], voted[1], voted[2], [])

    def _temperatures(self) -> dict[tuple[int, str], float]:
        """(split, view) -> temperature, fitted on sequences of training patients."""
        from echokit.evaluation.calibration import fit_temperature

        found = {}
        for place, own in _by_place(_rows_of(self.inner, "level", "sequence")):
            sequences = self._judged(own)
            found[place] = fit_temperature(sequences.probabilities, sequences.truth)
        return found

    def _soften(
        self, views: pd.DataFrame, temperatures: Mapping[tuple[int, str], float]
    ) -> pd.DataFrame:
        """The views' rows with the mean of their sequences' tempered probabilities.

        Rows of a split and view that has no temperature are absent.
        """
        import pandas as pd

        from echokit.evaluation.calibration import apply_temperature

        means: dict[tuple[int, str], Float[np.ndarray, " K"]] = {}
        for (split, view), own in _by_place(_rows_of(self.held_out, "level", "sequence")):
            if (split, view) in temperatures:
                tempered = apply_temperature(_probabilities(own), temperatures[split, view])
                clips = own["clip"].to_numpy(str)
                for clip in np.unique(clips):
                    means[split, clip] = tempered[clips == clip].mean(axis=0)
        found = [means.get(place) for place in zip(views["split"], views["clip"], strict=True)]
        tempered_views = views.assign(probabilities=pd.Series(found, views.index, object))
        return tempered_views[tempered_views["probabilities"].notna()]

    def _vote(self, views: pd.DataFrame) -> pd.DataFrame:
        """Subjects' rows: labels and confidences of the views as they are, votes counted again."""
        import pandas as pd

        from echokit.voting.votes import row, vote_views

        if views.empty:
            return views
        rows = []
        for (split, patient), own in views.groupby(["split", "patient"], sort=False):
            ballot = [
                (str(view), Prediction(label, confidence, np.asarray(probabilities)))
                for view, label, confidence, probabilities in zip(
                    own["view"],
                    own["predicted"],
                    own["confidence"],
                    own["probabilities"],
                    strict=True,
                )
            ]
            said = vote_views(ballot, self.classes, self.vote)
            truth = self.patients[str(patient)]
            rows.append(row("subject", truth, said, split=split, patient=patient))
        return pd.DataFrame(rows)

    def _row(
        self,
        views: str,
        raw: pd.DataFrame,
        scored: pd.DataFrame,
        warm: pd.DataFrame,
        training: pd.DataFrame,
        temperatures: Sequence[float],
    ) -> dict[str, Any]:
        """One row of the document.

        Args:
            views: a view, or a set of views.
            raw: held-out predictions as the run made them.
            scored: the same predictions, made as those of `training` were.
            warm: the same predictions, tempered; fewer where a temperature is missing.
            training: predictions of training patients, by networks that did not learn from them.
            temperatures: of this view.
        """
        from echokit.evaluation import reliability as trust
        from echokit.evaluation.calibration import top_label
        from echokit.evaluation.summary import mean_sd

        seed = crc32(f"{self.seed} {views}".encode())
        given = self._judged(raw)
        best, tempered = given, None
        if len(warm) == len(raw):
            best = self._judged(warm)
            spread = mean_sd(temperatures)
            tempered = {"temperature": spread} | trust.trust_in_probabilities(best, seed)
        right = (raw["predicted"] == raw["label"]).to_numpy(bool)
        confidence = raw["confidence"].to_numpy(float)
        sets = None
        if len(scored) == len(raw) and len(training):
            sets = trust.trust_in_sets(self._judged(scored), self._judged(training), self.classes)
        return {
            "views": views,
            "n_subjects": int(raw["patient"].nunique()),
            "n_predictions": len(raw),
            "n_splits": int(raw["split"].nunique()),
            "classes": list(self.classes),
            "vote": trust.trust_in_confidence(confidence, right, given.split, seed),
            "raw": trust.trust_in_probabilities(given, seed),
            "tempered": tempered,
            "selective": trust.selective_figures(
                *top_label(best.probabilities, best.truth), best.split
            ),
            "conformal": sets,
        }

    def _judged(self, table: pd.DataFrame) -> Judged:
        from echokit.evaluation.reliability import Judged

        truth = table["label"].map(self.index).to_numpy(int)
        return Judged(table["split"].to_numpy(int), truth, _probabilities(table))


def _mean_of_views(votes: Votes) -> Prediction:
    mean = votes.probabilities.mean(axis=0)
    return Prediction(votes.classes[int(mean.argmax())], float(mean.max()), mean)


def _by_place(sequences: pd.DataFrame) -> Iterator[tuple[tuple[int, str], pd.DataFrame]]:
    """The sequences of each (split, view)."""
    if not sequences.empty:
        for (split, view), own in sequences.groupby(["split", "view"], observed=True):
            yield (int(str(split)), str(view)), own


def _rows_of(table: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    return table if table.empty else table[table[column] == value]


def _probabilities(table: pd.DataFrame) -> Float[np.ndarray, "n K"]:
    return np.stack(table["probabilities"].tolist()).astype(np.float64)
