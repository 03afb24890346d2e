"""The evaluation of a model on labelled patients, and the folder that it is written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from echokit.evaluation.frame import flat_frame
from echokit.evaluation.rows import MetricsRow
from echokit.studies.outcomes import Inference
from echokit.system.files import whole_folder, write_json, write_text
from echokit.system.sheets import csv_text
from echokit.types import Rejection
from echokit.voting.table import PROBABILITIES, PredictionTable

SCHEMA = 1
"""Of `evaluation.json`."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of a model on labelled patients; a value, nothing is written until `save`."""

    run: str
    """Name of the run that trained the networks."""
    recipe: str
    """Name of its recipe."""
    task: str
    """The question that was asked."""
    classes: tuple[str, ...]
    """Labels to choose from, least severe first."""
    synthetic: bool
    """True if a patient is simulated."""
    synthetic_training: bool
    """True if the networks learned from a synthetic cohort."""
    labels: Mapping[str, int]
    """True label -> number of patients."""
    dropped: Mapping[str, int]
    """Reason for which clips without a label were left out -> number of clips."""
    rejected: tuple[Rejection, ...]
    """Every file and clip that was not used, with the reason."""
    rows: Sequence[MetricsRow]
    """Metrics of each view and set of views, as in `metrics.json` of a run."""
    table: PredictionTable
    """Predictions of sequences, clips and patients, with true labels."""
    inference: Mapping[str, Inference]
    """View -> what ran its network."""
    notes: tuple[str, ...]
    """What a reader must know of the figures, in sentences."""
    version: str
    """Version of echokit."""

    @property
    def metrics(self) -> pd.DataFrame:
        """One row for each view and set of views, in the columns of `Run.metrics`."""
        return flat_frame(self.rows)

    @property
    def predictions(self) -> pd.DataFrame:
        """One row for each sequence, clip and patient, in the columns of `Run.predictions`."""
        return self.table.frame

    def to_json(self) -> dict[str, Any]:
        """The evaluation in plain values, as `evaluation.json` holds it."""
        return {
            "schema": SCHEMA,
            "echokit": self.version,
            "run": self.run,
            "recipe": self.recipe,
            "task": self.task,
            "classes": list(self.classes),
            "synthetic": self.synthetic,
            "synthetic_training": self.synthetic_training,
            "labels": dict(self.labels),
            "dropped": dict(self.dropped),
            "rejected": [{"where": one.where, "reason": one.reason} for one in self.rejected],
            "rows": list(self.rows),
            "inference": {view: asdict(one) for view, one in self.inference.items()},
            "notes": list(self.notes),
        }

    def save(self, out: str | Path) -> list[Path]:
        """Write `evaluation.json`, `metrics.csv`, `predictions.csv` and `index.html`.

        Args:
            out: a folder that does not exist yet; it appears whole or not at all.

        Returns:
            What was written.

        Raises:
            UsageError: `out` exists.
        """
        from echokit.report import build_evaluation_page
        from echokit.studies.write import refuse_existing

        folder = Path(out)
        refuse_existing(folder)
        with whole_folder(folder) as partial:
            write_json(partial / "evaluation.json", self.to_json())
            write_text(partial / "metrics.csv", csv_text(self.metrics))
            write_text(partial / "predictions.csv", self._csv())
            build_evaluation_page(partial)
        names = ("evaluation.json", "metrics.csv", "predictions.csv", "index.html")
        return [folder / name for name in names]

    def _csv(self) -> str:
        """Return the predictions with one column for each label's probability."""
        shares = pd.DataFrame(
            self.table.probabilities, columns=[f"p_{name}" for name in self.classes]
        )
        plain = self.table.frame.drop(columns=PROBABILITIES).reset_index(drop=True)
        return csv_text(pd.concat([plain, shares], axis=1))
