"""Voting rules within a run: compared with each other in `fusion.json`, and fitted for use."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from echokit.components import _table, make_aggregator
from echokit.folder import RunFolder
from echokit.recipe import Recipe
from echokit.runs.population import Study
from echokit.system.files import write_json
from echokit.system.progress import Progress

if TYPE_CHECKING:
    pass


def fuse_all(study: Study, recipe: Recipe, folder: RunFolder, progress: Progress) -> str:
    """Compare the recipe's voting rules on every subset of its views; write `fusion.json`.

    Networks over all views that left their predictions in `fusion.parquet` are compared too.
    """
    import pandas as pd

    from echokit.evaluation.voting_rules import compare, subsets_of

    out = folder.path / "fusion.json"
    out.unlink(missing_ok=True)
    extra = _table(folder.path / "fusion.parquet")
    if not recipe.fusion and extra is None:
        return "nothing asked"
    rules = {name: partial(make_aggregator, slot) for name, slot in recipe.fusion.items()}
    comparisons = compare(
        pd.read_parquet(folder.predictions),
        _table(folder.path / "crossfit.parquet"),
        rules,
        {task: labels.classes for task, labels in study.labelled.items()},
        recipe.views.use,
        extra,
        recipe.evaluate.bootstrap,
        recipe.seed,
    )
    total = len(study.labelled) * len(recipe.enabled_approaches)
    document = {"schema": 1, "synthetic": study.cohort.synthetic}
    lists: dict[str, list[object]] = {"rows": [], "summary": [], "skipped": []}
    with progress.bar("Comparing voting rules", total, "comparisons") as tick:
        for one in comparisons:
            lists["rows"] += one.rows
            lists["summary"].append(one.summary)
            lists["skipped"] += one.skipped
            tick(1)
    write_json(out, document | lists)
    left_out = f", {len(lists['skipped'])} left out" if lists["skipped"] else ""
    return f"{len(rules)} rules on {len(subsets_of(recipe.views.use))} subsets of views{left_out}"
