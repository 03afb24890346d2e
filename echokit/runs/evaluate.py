"""Evaluate the predictions of held-out patients: `metrics.json`."""

from __future__ import annotations

from echokit.components.slots import make_abstention
from echokit.evaluation.approach_differences import paired
from echokit.evaluation.metrics import evaluate
from echokit.runs.context import Run
from echokit.system.files import write_json


def step(run: Run) -> str:
    """Compute metrics with their intervals, and differences between approaches."""
    predictions = run.held_out
    settings = (run.population.classes_by_task, run.recipe.evaluate.bootstrap, run.recipe.seed)
    rows = evaluate(
        predictions, *settings, make_abstention(run.recipe).active, run.recipe.view_tasks
    )
    write_json(
        run.folder.path / "metrics.json",
        {
            "schema": 1,
            "synthetic": run.population.cohort.synthetic,
            "rows": rows,
            "paired": paired(predictions, *settings),
        },
    )
    return f"{len(rows)} rows of metrics"
