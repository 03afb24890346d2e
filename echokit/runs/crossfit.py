"""Predict training patients by networks that did not learn from them: `crossfit.parquet`."""

from __future__ import annotations

from echokit.runs.context import Run
from echokit.runs.jobs import inner_jobs
from echokit.runs.predict import predict_clips
from echokit.voting.table import PredictionTable


def step(run: Run) -> str:
    """Predict training patients by the inner networks that did not learn from them.

    The table has rows of sequences and views, but none of subjects.
    """
    run.folder.crossfit.unlink(missing_ok=True)
    jobs = inner_jobs(run)
    if not jobs:
        return "nothing asked"
    table = PredictionTable.of(predict_clips(run, jobs, "Predicting training clips"))
    table.write(run.folder.crossfit)
    return f"{len(table.views)} clips of training patients"
