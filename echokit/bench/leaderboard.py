"""Make the leaderboard of an accuracy benchmark: figures, intervals and clear differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from echokit.bench.accuracy import Trained, check_explainer, measure_cost, vote_again
from echokit.bench.result import Column, Row, Table, document, write_result
from echokit.bench.suite import Suite
from echokit.evaluation.metric_names import NAMES
from echokit.evaluation.metrics import evaluate
from echokit.evaluation.rule_differences import Outcome, differences_from
from echokit.report.words import duration, interval, mean_sd, memory
from echokit.system.progress import Progress
from echokit.voting.table import PredictionTable

TITLE = "Accuracy of echokit's parts"


def write_leaderboard(suite: Suite, runs: list[Trained], out: Path, progress: Progress) -> Path:
    """Evaluate every pair of backbone and voting rule and every explainer; write the tables.

    Returns:
        The path of the page.
    """
    pairs = [(trained, name) for trained in runs for name in suite.aggregator]
    with progress.bar("Voting", len(pairs), "votes") as tick:
        voted = []
        for trained, name in pairs:
            voted.append(vote_again(trained, name, suite.aggregator[name]))
            tick(1)
    first = [trained for trained in runs if trained.seed == 0]
    explained = [(trained, name) for trained in first for name in suite.explainer]
    explainers = []
    with progress.bar("Explaining", len(explained), "explainers") as tick:
        for trained, name in explained:
            explainers.append(asdict(check_explainer(trained, name, suite.explainer[name])))
            tick(1)
    costs = {trained.backbone: asdict(measure_cost(trained)) for trained in first}
    entries = leaderboard(pd.concat(voted), runs[0].classes, runs[0].recipe.evaluate.bootstrap)
    rows = [row | {"cost": costs[row["backbone"]]} for row in entries]
    synthetic = any(bool(trained.folder.state["synthetic"]) for trained in runs)
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
            "the 95 % interval from resampled subjects. Differences are from the first row of the "
            "same task and views, on the same subjects, with intervals corrected for the number "
            "of rows (max-T); a difference is clear if its interval excludes zero. Costs are of "
            "the first seed, on this machine.",
        ),
        Table("Cost of each backbone", "costs", _COSTS, "Of the first seed, on this machine."),
        Table(
            "Explainers",
            "explainers",
            _EXPLAINERS,
            "Of the first seed: maps that pass every test of the report, and seconds per map with "
            "its tests.",
        ),
    ]
    return write_result(out, "accuracy", TITLE, result, [t for t in tables if result[t.name]])


def leaderboard(
    table: pd.DataFrame, classes: Mapping[str, tuple[str, ...]], bootstrap: int
) -> list[Row]:
    """Compute a row for each task, approach, view set, backbone and voting rule, best first.

    Args:
        table: subject rows of every backbone, seed and rule, the first pair first.
        classes: task -> label names, least severe first.
        bootstrap: number of resamples of the subjects for the intervals.
    """
    rows = []
    for (task, _, _), group in table.groupby(["task", "approach", "view"], sort=False):
        names = classes[str(task)]
        parts = dict(list(group.groupby(["backbone", "aggregator"], sort=False)))
        outcomes = {f"{b} / {a}": _outcome(part, names) for (b, a), part in parts.items()}
        baseline = next(iter(outcomes))
        differences = dict(differences_from(outcomes, baseline, bootstrap, 0))
        entries = []
        for (backbone, aggregator), part in parts.items():
            (figures,) = evaluate(PredictionTable(part), {str(task): names}, bootstrap, 0)
            pair = {"backbone": backbone, "aggregator": aggregator}
            difference = differences.get(f"{backbone} / {aggregator}")
            entries.append({**pair, **figures, "lead": difference})
        rows += sorted(entries, key=_f1, reverse=True)
    return rows


def _f1(row: Row) -> float:
    return float(row["f1"]["mean"])


def _outcome(part: pd.DataFrame, classes: tuple[str, ...]) -> Outcome:
    """Collect the predictions of one pair of backbone and voting rule."""
    ordered = part.sort_values(["split", "patient"])
    index = {name: i for i, name in enumerate(classes)}
    return Outcome(
        ordered["split"].to_numpy(int),
        tuple(ordered["patient"]),
        ordered["label"].map(index).to_numpy(int),
        ordered["predicted"].map(index).to_numpy(int),
        np.stack(ordered["probabilities"].tolist()),
    )


def _difference(row: Row) -> str:
    """Format the difference from the baseline with its interval."""
    difference = row["lead"]
    if difference is None:
        return "–"
    low, high = difference["ci95_together"] or (None, None)
    ends = f" ({low:+.2f} to {high:+.2f})" if low is not None else ""
    return f"{difference['mean']:+.2f}{ends}{' clear' if difference['excludes_zero'] else ''}"


def _count(value: float) -> str:
    """Format a large number with three digits: 1.11 M, 83.4 k."""
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
    Column("difference", _difference, right=True),
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
