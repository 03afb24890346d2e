"""Compare voting rules of views: `fusion.json`."""

from __future__ import annotations

from functools import partial

from echokit.components.slots import make_aggregator
from echokit.evaluation.voting_rules import compare, subsets_of
from echokit.runs.context import Run
from echokit.system.files import write_json
from echokit.voting.subset_table import SubsetTable


def step(run: Run) -> str:
    """Compare the recipe's voting rules on every subset of its views.

    Feature fusion, whose predictions stand in `fusion.parquet`, is compared with them. The first
    rule of the recipe's table `[fusion]` is the one that the others are compared with.
    """
    recipe, population, path = run.recipe, run.population, run.folder.path / "fusion.json"
    path.unlink(missing_ok=True)
    extra = SubsetTable.read_if_there(run.folder.feature_fusion)
    if not recipe.fusion and not len(extra):
        return "nothing asked"
    comparisons = compare(
        run.held_out,
        run.crossfit,
        {name: partial(make_aggregator, slot) for name, slot in recipe.fusion.items()},
        population.classes_by_task,
        recipe.views.use,
        extra,
        baseline=next(iter(recipe.fusion), ""),
        bootstrap=recipe.evaluate.bootstrap,
        seed=recipe.seed,
    )
    lists: dict[str, list[object]] = {"rows": [], "summary": [], "skipped": []}
    total = len(population.labelled) * len(recipe.enabled_approaches)
    with run.progress.bar("Comparing voting rules", total, "comparisons") as tick:
        for comparison in comparisons:
            lists["rows"] += comparison.rows
            lists["summary"].append(comparison.summary)
            lists["skipped"] += comparison.skipped
            tick(1)
    write_json(path, {"schema": 1, "synthetic": population.cohort.synthetic} | lists)
    skipped = f", {len(lists['skipped'])} left out" if lists["skipped"] else ""
    subsets = len(subsets_of(recipe.views.use))
    return f"{len(recipe.fusion)} rules on {subsets} subsets of views{skipped}"
