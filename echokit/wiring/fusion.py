"""Voting rules within a run: compared with each other in `fusion.json`, and fitted for use."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from echokit.errors import DataError, UsageError
from echokit.files import write_json
from echokit.folder import RunFolder
from echokit.interfaces import Aggregator, SupportsFit
from echokit.progress import Progress
from echokit.recipe import Recipe, Slot
from echokit.wiring.components import make_aggregator
from echokit.wiring.population import Study

if TYPE_CHECKING:
    import pandas as pd


def fuse_all(study: Study, recipe: Recipe, folder: RunFolder, progress: Progress) -> str:
    """Compare the recipe's voting rules on every subset of its views; write `fusion.json`.

    Networks over all views that left their predictions in `fusion.parquet` are compared too.
    """
    import pandas as pd

    from echokit.stages.fusion import compare, subsets_of

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


def fitted_aggregator(
    slot: Slot, crossfit: pd.DataFrame | None, classes: tuple[str, ...]
) -> Aggregator:
    """The voting rule of views that a slot names, fitted on training patients if it learns.

    Args:
        slot: the rule.
        crossfit: rows of `crossfit.parquet` of one task, approach and split; None for none.
        classes: the task's label names, least severe first.

    Raises:
        UsageError: the rule learns, and there is nobody to learn from.
    """
    from echokit.stages.ballots import ballots
    from echokit.stages.fusion import fit

    aggregate = make_aggregator(slot)
    views = [] if crossfit is None or crossfit.empty else list(crossfit["view"].unique())
    try:
        return fit(aggregate, ballots(crossfit, classes, views))
    except DataError as error:
        raise UsageError(
            f"The voting rule {slot.use!r} cannot be fitted: {error}. Type --set crossfit.folds=2, "
            "or take a rule that learns nothing: --set aggregate.subject=majority-vote."
        ) from error


def subject_rule(
    recipe: Recipe, crossfit: Path, classes: tuple[str, ...], **place: str | int
) -> Aggregator:
    """The recipe's voting rule of views, ready to use in one place.

    Args:
        recipe: names the rule.
        crossfit: `crossfit.parquet`, which a rule that learns is fitted on.
        classes: the task's label names, least severe first.
        place: `task`, `approach` and `split`.

    Raises:
        UsageError: the rule learns, and there is nobody to learn from.
    """
    slot = recipe.aggregate.subject
    rule = make_aggregator(slot)
    if not isinstance(rule, SupportsFit):
        return rule
    rows = _table(crossfit)
    if rows is not None:
        rows = rows[rows["level"] == "view"]
        for column, value in place.items():
            rows = rows[rows[column] == value]
    return fitted_aggregator(slot, rows, classes)


def _table(path: Path) -> pd.DataFrame | None:
    import pandas as pd

    return pd.read_parquet(path) if path.is_file() else None
