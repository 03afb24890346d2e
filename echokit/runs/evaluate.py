"""Evaluate the predictions: `metrics.json`."""

from __future__ import annotations

from echokit.folder import RunFolder
from echokit.recipe import Recipe
from echokit.runs.population import Study
from echokit.system.files import write_json
from echokit.system.progress import Progress


def evaluate_all(study: Study, recipe: Recipe, folder: RunFolder, progress: Progress) -> str:
    """Judge the predictions; write `metrics.json`."""
    import pandas as pd

    from echokit.evaluation.approach_differences import paired
    from echokit.evaluation.metrics import evaluate

    classes = {task: labels.classes for task, labels in study.labelled.items()}
    predictions = pd.read_parquet(folder.predictions)
    how = (classes, recipe.evaluate.bootstrap, recipe.seed)
    rows = evaluate(predictions, *how)
    head = {"schema": 1, "synthetic": study.cohort.synthetic}
    differences = {"paired": paired(predictions, *how)}
    write_json(folder.path / "metrics.json", head | {"rows": rows} | differences)
    return f"{len(rows)} rows of metrics"
