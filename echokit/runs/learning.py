"""Say which networks learned nothing, from training patients alone: `learning.json`."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import confusion_matrix

from echokit.evaluation.rows import LearningRow
from echokit.networks.job import Job
from echokit.networks.learned import beyond_guessing
from echokit.runs.context import Run
from echokit.runs.jobs import jobs_of
from echokit.system.checked import read_json
from echokit.system.files import write_json
from echokit.voting.table import PredictionTable


def write_learning(run: Run, crossfit: PredictionTable) -> tuple[LearningRow, ...]:
    """Write one row for each network that predicts held-out patients, and return the rows.

    A network is told by its own training clips (`networks/learned.py`), and by how its inner
    networks predict the training patients they did not learn from, where the run makes any.

    Args:
        run: the run, whose networks are trained.
        crossfit: predictions of training patients by inner networks; may be empty.
    """
    rows = tuple(_row(run, job, crossfit) for job in jobs_of(run) if run.weights(job).is_file())
    write_json(run.folder.path / "learning.json", {"schema": 1, "rows": rows})
    return rows


def _row(run: Run, job: Job, crossfit: PredictionTable) -> LearningRow:
    described = read_json(run.weights(job).with_suffix(".json"))
    learned = described.get("learned") or {}  # networks of earlier versions were not judged
    score, limit = _left_out(crossfit.views.where(**job.place), run.population.classes(job.task))
    reason = learned.get("reason", "")
    if not reason and score is not None and not score > limit:
        reason = (
            "its inner networks predict training patients they did not learn from with a balanced "
            f"accuracy of {score:.2f}, where guessing reaches up to {limit:.2f}"
        )
    return LearningRow(
        task=job.task,
        approach=job.approach,
        view=job.view,
        split=job.split,
        attempts=described.get("attempts", 1),
        training_accuracy=learned.get("balanced_accuracy"),
        left_out_accuracy=score,
        reason=reason,
    )


def _left_out(rows: PredictionTable, classes: tuple[str, ...]) -> tuple[float | None, float]:
    """Return the balanced accuracy of left-out training clips, and what guessing reaches."""
    if not len(rows):
        return None, 0.0
    confusion = confusion_matrix(
        rows.truth(classes), rows.predicted(classes), labels=range(len(classes))
    )
    counts = confusion.sum(1)
    there = counts > 0
    return float(np.mean(confusion.diagonal()[there] / counts[there])), beyond_guessing(
        counts[there]
    )


def sentence(rows: tuple[LearningRow, ...]) -> str:
    """Name the networks that did not learn, for the summary of a step; empty if all did."""
    names = [f"{row['view']} of split {row['split']}" for row in rows if row["reason"]]
    return f"; {len(names)} did not learn: {', '.join(names)}" if names else ""
