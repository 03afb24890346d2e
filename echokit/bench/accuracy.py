"""The swap matrix: backbones, voting rules and explainers on identical splits.

Each backbone and seed is one ordinary run below the benchmark's folder, trained and predicted
once; every voting rule then votes on what that run's networks said of each sequence.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.bench.suite import Suite
from echokit.components.networks import make_model
from echokit.components.slots import make_aggregator, subject_rule
from echokit.errors import UsageError
from echokit.folder import RunFolder
from echokit.interfaces import Aggregator, SupportsFit
from echokit.recipe import Recipe, Slot, load_recipe
from echokit.system.files import read_json, write_json
from echokit.system.progress import Progress
from echokit.voting.ballots import ballots
from echokit.voting.table import (
    APPROACH,
    CLIP,
    SPLIT,
    TASK,
    VIEW,
    Place,
    PredictionTable,
    Row,
)

if TYPE_CHECKING:
    import pandas as pd

SEED = 1000
"""Splits of one seed are numbered from this times the seed, so that those of all stand apart."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The run of one backbone and seed."""

    backbone: str
    seed: int
    recipe: Recipe
    folder: RunFolder

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """Task -> label names, least severe first."""
        return {name: task.labels for name, task in self.recipe.enabled_tasks.items()}


def train_all(suite: Suite, out: Path, progress: Progress) -> list[Trained]:
    """Make the runs that are not there yet, and finish those that were stopped.

    Raises:
        UsageError: a folder holds a run of another suite, or splits differ between backbones.
        EchokitError: a run cannot be made.
    """
    from echokit.runs import carry_out

    suite.check()
    learns = any(isinstance(make_aggregator(s), SupportsFit) for s in suite.aggregator.values())
    result = []
    for seed in range(suite.seeds):
        for name, slot in suite.backbone.items():
            settings = [*suite.settings, f"seed={seed}", "fusion={}", "report.examples=0"]
            settings += ["crossfit.folds=2"] if learns else []
            recipe = load_recipe(suite.recipe, preset=suite.preset, settings=settings)
            recipe = recipe.model_copy(update={"backbone": slot})
            folder = _open(out / f"{name}-seed-{seed}", recipe)
            if folder.state["finished"] is None:
                carry_out(recipe, folder, progress)
            result.append(Trained(name, seed, recipe, folder))
    _check_splits(result)
    return result


def _open(path: Path, recipe: Recipe) -> RunFolder:
    if not path.exists():
        return RunFolder.create(path, recipe)
    folder = RunFolder.open(path)
    if folder.recipe().digest() != recipe.digest():
        raise UsageError(f"{path} is of another suite: choose another folder with --out.")
    return folder


def _check_splits(runs: list[Trained]) -> None:
    """Every backbone of a seed was judged on the very same patients."""
    import pandas as pd

    seen: dict[int, pd.DataFrame] = {}
    for one in runs:
        cohort = pd.read_csv(one.folder.path / "cohort.csv", dtype=str)
        if not seen.setdefault(one.seed, cohort).equals(cohort):
            raise UsageError(
                f"{one.folder.path} was made of other clips or splits than the others of seed "
                f"{one.seed}: delete the benchmark's folder, or choose another with --out."
            )


def vote_again(one: Trained, name: str, slot: Slot) -> pd.DataFrame:
    """Let a voting rule vote on what a run's networks predicted; no network runs.

    A rule that learns votes on views alone, fitted on training patients; the vote of sequences is
    the recipe's own then.

    Returns:
        Rows of subjects, one for each patient, split and view set, with `backbone` and
        `aggregator`.
    """
    rule = make_aggregator(slot)
    learns = isinstance(rule, SupportsFit)
    rows = []
    for (task, approach), own in PredictionTable.read(one.folder.predictions).groups(
        TASK, APPROACH
    ):
        classes = one.classes[task]
        subjects = own.subjects
        voting = own if learns else _votes_of_sequences(own, rule, classes).with_rows(subjects)
        for views, members in one.recipe.used_view_sets.items():
            for ballot in ballots(voting, classes, members):
                decide = _fitted(one, slot, task, approach, ballot.split) if learns else rule
                rows.append(
                    Row(
                        "subject",
                        Place(task, approach, views, ballot.split + SEED * one.seed),
                        ballot.patient,
                        classes[ballot.truth],
                        decide(ballot.votes),
                    )
                )
    return PredictionTable.of(rows).frame.assign(backbone=one.backbone, aggregator=name)


def _votes_of_sequences(
    table: PredictionTable, rule: Aggregator, classes: tuple[str, ...]
) -> PredictionTable:
    """Predict each clip anew by the votes of its sequences."""
    return PredictionTable.of(
        replace(
            next(clip.rows()), level="view", start=-1, prediction=rule(clip.sequence_votes(classes))
        )
        for _, clip in table.sequences.groups(SPLIT, VIEW, CLIP)
    )


def _fitted(one: Trained, slot: Slot, task: str, approach: str, split: int) -> Aggregator:
    def training() -> PredictionTable:
        crossfit = PredictionTable.read_if_there(one.folder.crossfit)
        return crossfit.where(task=task, approach=approach, split=split)

    return subject_rule(slot, one.classes[task], training)


def explained(one: Trained, name: str, slot: Slot) -> dict[str, Any]:
    """How an explainer's maps of a run's networks fare in their tests, and what one takes.

    The networks are loaded, not trained; what was explained before is not explained again.
    """
    from echokit.runs.explain import explain_into
    from echokit.runs.start import open_run

    out = one.folder.path / "explainers" / name
    kept = out / "result.json"
    options = slot.model_dump() | slot.options
    if not kept.is_file() or read_json(kept)["asked"] != options:
        shown = one.recipe.report.model_copy(update={"examples": 1})
        recipe = one.recipe.model_copy(update={"explain": slot, "report": shown})
        run = open_run(one.folder.path, recipe=recipe)
        started = time.monotonic()
        explain_into(run, out)
        seconds = time.monotonic() - started
        maps = read_json(out / "saliency" / "index.json")["maps"]
        passed = sum(bool(m["scores"]["verdict"]["passed"]) for m in maps)
        write_json(
            kept, {"asked": options, "maps": len(maps), "passed": passed, "seconds": seconds}
        )
    row: dict[str, Any] = read_json(kept)
    row.pop("asked")
    return {"backbone": one.backbone, "explainer": name, **row}


def cost(one: Trained) -> dict[str, Any]:
    """What a backbone costs: parameters, multiply-adds, seconds a study, memory."""
    import pandas as pd
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    described = read_json(next(one.folder.models.rglob("split-00.json")))
    network = make_model(one.recipe, len(described["classes"])).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *described["input_shape"]))
    table = pd.read_parquet(one.folder.predictions, columns=["level", "split", "patient"])
    studies = len(table[table["level"] == "subject"].drop_duplicates())
    stages = {row["name"]: row for row in one.folder.state["stages"]}
    return {
        "backbone": one.backbone,
        "parameters": sum(p.numel() for p in network.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
        "training_seconds": stages["train"]["seconds"],
        "study_seconds": stages["predict"]["seconds"] / studies,
        "peak_memory_mb": max(row["peak_memory_mb"] for row in stages.values()),
    }
