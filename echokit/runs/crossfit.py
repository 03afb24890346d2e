"""Predict training patients by networks that did not learn from them: `crossfit.parquet`.

What they tell of whether the networks learned at all is written too: `learning.json`.
"""

from __future__ import annotations

from echokit.runs.context import Run
from echokit.runs.jobs import inner_jobs
from echokit.runs.learning import sentence, write_learning
from echokit.runs.predict import predict_clips
from echokit.voting.table import PredictionTable


def step(run: Run) -> str:
    """Predict training patients by the inner networks that did not learn from them.

    The table has rows of sequences and views, but none of subjects.
    """
    run.folder.crossfit.unlink(missing_ok=True)
    jobs = inner_jobs(run)
    table = PredictionTable.of(predict_clips(run, jobs, "Predicting training clips"))
    if jobs:
        table.write(run.folder.crossfit)
    said = sentence(write_learning(run, table))
    return f"{len(table.views)} clips of training patients{said}" if jobs else f"not asked{said}"
