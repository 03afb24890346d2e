"""The leaderboard of an accuracy benchmark: who reaches what, and who differs clearly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.bench.accuracy import Trained, cost, explained, vote_again
from echokit.bench.result import Column, Table, document, write_result
from echokit.bench.suite import Suite
from echokit.evaluation.metric_names import NAMES
from echokit.report.words import duration, interval, mean_sd, memory
from echokit.system.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

TITLE = "Accuracy of echokit's parts"


def write_leaderboard(suite: Suite, runs: list[Trained], out: Path, progress: Progress) -> Path:
    """Judge every pair of backbone and voting rule, every explainer, and write the tables.

    Returns:
        The page.
    """
    import pandas as pd

    pairs = [(one, name) for one in runs for name in suite.aggregator]
    with progress.bar("Voting", len(pairs), "votes") as tick:
        voted = []
        for one, name in pairs:
            voted.append(vote_again(one, name, suite.aggregator[name]))
            tick(1)
    first = [one for one in runs if one.seed == 0]
    asked = [(one, name) for one in first for name in suite.explainer]
    explainers = []
    with progress.bar("Explaining", len(asked), "explainers") as tick:
        for one, name in asked:
            explainers.append(explained(one, name, suite.explainer[name]))
            tick(1)
    costs = {one.backbone: cost(one) for one in first}
    found = leaderboard(pd.concat(voted), runs[0].classes, runs[0].recipe.evaluate.bootstrap)
    rows = [row | {"cost": costs[row["backbone"]]} for row in found]
    synthetic = any(bool(one.folder.state["synthetic"]) for one in runs)
    result = document(
        "accuracy",
        synthetic,
        suite=suite.model_dump(exclude_none=True),
        leaderboard=rows,
        explainers=explainers,
        costs=list(costs.values()),
    )
    seeds = f"{suite.seeds} seed{'s' * (suite.seeds > 1)}"
    tables = [
        Table(
            "Leaderboard",
            "leaderboard",
            _LEADERBOARD,
            f"Held-out subjects, {seeds}, the same splits for every row. Mean ± sd over splits, "
            "the 95 % interval from resampled subjects. The lead is over the first row of its task "
            "and views, on the same subjects, its interval corrected for the number of rows "
            "(max-T); it is clear where that excludes zero. Costs are of the first seed, on this "
            "machine.",
        ),
        Table("What a backbone costs", "costs", _COSTS, "Of the first seed, on this machine."),
        Table(
            "Explainers",
            "explainers",
            _EXPLAINERS,
            "Of the first seed: maps that pass every test of the report, and seconds for a map "
            "with its tests.",
        ),
    ]
    return write_result(out, "accuracy", TITLE, result, [t for t in tables if result[t.name]])


def leaderboard(
    table: pd.DataFrame, classes: Mapping[str, tuple[str, ...]], bootstrap: int
) -> list[dict[str, Any]]:
    """One row for each task, approach, view set, backbone and voting rule, best first.

    Args:
        table: subject rows of every backbone, seed and rule, the first pair first.
        classes: task -> label names, least severe first.
        bootstrap: resamples of the subjects for the intervals.
    """
    from echokit.evaluation.metrics import evaluate
    from echokit.evaluation.rule_differences import leads
    from echokit.voting.table import PredictionTable

    rows = []
    for (task, _, _), here in table.groupby(["task", "approach", "view"], sort=False):
        names = classes[str(task)]
        parts = dict(list(here.groupby(["backbone", "aggregator"], sort=False)))
        outcomes = {f"{b} / {a}": _outcome(part, names) for (b, a), part in parts.items()}
        baseline = next(iter(outcomes))
        ahead = dict(leads(outcomes, baseline, bootstrap, 0))
        found = []
        for (backbone, aggregator), part in parts.items():
            (figures,) = evaluate(PredictionTable(part), {str(task): names}, bootstrap, 0)
            lead = ahead.get(f"{backbone} / {aggregator}")
            found.append({"backbone": backbone, "aggregator": aggregator, **figures, "lead": lead})
        rows += sorted(found, key=lambda row: -_f1(row))
    return rows


def _f1(row: Mapping[str, Any]) -> float:
    return float(row["f1"]["mean"])


def _outcome(part: pd.DataFrame, classes: tuple[str, ...]) -> Any:
    import numpy as np

    from echokit.evaluation.rule_differences import Outcome

    ordered = part.sort_values(["split", "patient"])
    index = {name: i for i, name in enumerate(classes)}
    return Outcome(
        ordered["split"].to_numpy(int),
        tuple(ordered["patient"]),
        ordered["label"].map(index).to_numpy(int),
        ordered["predicted"].map(index).to_numpy(int),
        np.stack(ordered["probabilities"].tolist()),
    )


def _lead(row: Mapping[str, Any]) -> str:
    lead = row["lead"]
    if lead is None:
        return "–"
    low, high = lead["ci95_together"] or (None, None)
    ends = f" ({low:+.2f} to {high:+.2f})" if low is not None else ""
    return f"{lead['mean']:+.2f}{ends}{' clear' if lead['excludes_zero'] else ''}"


def _count(value: float) -> str:
    """A large number to three digits: 1.11 M, 83.4 k."""
    for name, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:g}"


_LEADERBOARD = (
    Column("backbone", lambda row: str(row["backbone"])),
    Column("voting rule", lambda row: str(row["aggregator"])),
    Column("task", lambda row: f"{row['task']}, {row['approach']}, {row['views']}"),
    Column(
        NAMES["f1"].heading, lambda row: f"{mean_sd(row['f1'])} ({interval(row['f1'])})", right=True
    ),
    Column("lead", _lead, right=True),
    Column(
        NAMES["balanced_accuracy"].heading,
        lambda row: mean_sd(row["balanced_accuracy"]),
        right=True,
    ),
    Column(NAMES["auroc"].heading, lambda row: mean_sd(row["auroc"]), right=True),
    Column("subjects", lambda row: str(row["n_subjects"]), right=True),
    Column("splits", lambda row: str(row["n_splits"]), right=True),
    Column("parameters", lambda row: _count(row["cost"]["parameters"]), right=True),
    Column("multiply-adds", lambda row: _count(row["cost"]["multiply_adds"]), right=True),
    Column("a study", lambda row: duration(row["cost"]["study_seconds"]), right=True),
    Column("peak memory", lambda row: memory(row["cost"]["peak_memory_mb"]), right=True),
)
_COSTS = (
    Column("backbone", lambda row: str(row["backbone"])),
    Column("parameters", lambda row: _count(row["parameters"]), right=True),
    Column("multiply-adds", lambda row: _count(row["multiply_adds"]), right=True),
    Column("training", lambda row: duration(row["training_seconds"]), right=True),
    Column("a study", lambda row: duration(row["study_seconds"]), right=True),
    Column("peak memory", lambda row: memory(row["peak_memory_mb"]), right=True),
)
_EXPLAINERS = (
    Column("explainer", lambda row: str(row["explainer"])),
    Column("backbone", lambda row: str(row["backbone"])),
    Column("maps that pass", lambda row: f"{row['passed']} of {row['maps']}", right=True),
    Column("a map", lambda row: duration(row["seconds"] / max(1, row["maps"])), right=True),
)
