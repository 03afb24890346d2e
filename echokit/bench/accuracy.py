"""Compare backbones, voting rules and explainers on identical splits: the swap matrix.

Each backbone and seed is one ordinary run below the folder of the benchmark, trained and predicted
once. Every voting rule then votes on the predictions of that run's networks for each sequence.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from echokit.bench.suite import Suite
from echokit.components.networks import bare_model
from echokit.components.slots import make_aggregator, subject_rule
from echokit.errors import UsageError
from echokit.folder import RunFolder
from echokit.interfaces import Aggregator, SupportsFit
from echokit.recipe import Recipe, Slot, load_recipe
from echokit.runs import carry_out
from echokit.runs.explain import explain_into
from echokit.runs.start import open_run
from echokit.system.checked import read_csv, read_json, read_parquet
from echokit.system.files import write_json
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

SEED = 1000
"""Splits of a seed are numbered from this number times the seed, which keeps seeds apart."""


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
    """Carry out the missing runs, and finish those that were stopped.

    Raises:
        UsageError: a folder holds a run of another suite, or the splits of backbones differ.
        EchokitError: a run cannot be carried out.
    """
    suite.check()
    learns = any(isinstance(make_aggregator(s), SupportsFit) for s in suite.aggregator.values())
    result = []
    for seed in range(suite.seeds):
        for name, slot in suite.backbone.items():
            # voting rules and explainers are compared afterwards, from the same networks
            settings = [*suite.settings, f"seed={seed}", "fusion={}", "report.examples=0"]
            settings += ["test=false"]
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
    """Open the folder of a run, or create it."""
    if not path.exists():
        return RunFolder.create(path, recipe)
    folder = RunFolder.open(path)
    if folder.recipe().digest() != recipe.digest():
        raise UsageError(f"{path} belongs to another suite: choose another folder with --out.")
    return folder


def _check_splits(runs: list[Trained]) -> None:
    """Check that all backbones of a seed have the same clips and splits."""
    cohorts: dict[int, pd.DataFrame] = {}
    for trained in runs:
        cohort = read_csv(trained.folder.path / "cohort.csv")
        if not cohorts.setdefault(trained.seed, cohort).equals(cohort):
            raise UsageError(
                f"{trained.folder.path} has other clips or splits than the other runs of seed "
                f"{trained.seed}: delete the benchmark's folder, or choose another with --out."
            )


def vote_again(trained: Trained, name: str, slot: Slot) -> pd.DataFrame:
    """Apply a voting rule to the predictions of a run's networks; no network runs.

    A rule that learns is fitted on training patients and votes on views only. Sequences then vote
    by the rule of the recipe.

    Returns:
        Rows of subjects, one for each patient, split and view set, with `backbone` and
        `aggregator`.
    """
    rule = make_aggregator(slot)
    learns = isinstance(rule, SupportsFit)
    rows = []
    for (task, approach), own in PredictionTable.read(trained.folder.predictions).groups(
        TASK, APPROACH
    ):
        classes = trained.classes[task]
        subjects = own.subjects
        voting = own if learns else _votes_of_sequences(own, rule, classes).with_rows(subjects)
        for views, members in trained.recipe.used_view_sets.items():
            for ballot in ballots(voting, classes, members):
                decide = _fitted(trained, slot, task, approach, ballot.split) if learns else rule
                rows.append(
                    Row(
                        "subject",
                        Place(task, approach, views, ballot.split + SEED * trained.seed),
                        ballot.patient,
                        classes[ballot.truth],
                        decide(ballot.votes),
                    )
                )
    return PredictionTable.of(rows).frame.assign(backbone=trained.backbone, aggregator=name)


def _votes_of_sequences(
    table: PredictionTable, rule: Aggregator, classes: tuple[str, ...]
) -> PredictionTable:
    """Predict each clip again from its sequences, by another voting rule."""
    return PredictionTable.of(
        replace(
            next(clip.rows()), level="view", start=-1, prediction=rule(clip.sequence_votes(classes))
        )
        for _, clip in table.sequences.groups(SPLIT, VIEW, CLIP)
    )


def _fitted(trained: Trained, slot: Slot, task: str, approach: str, split: int) -> Aggregator:
    """Fit a voting rule that learns, on the training patients of a split."""

    def training() -> PredictionTable:
        crossfit = PredictionTable.read_if_there(trained.folder.crossfit)
        return crossfit.where(task=task, approach=approach, split=split)

    return subject_rule(slot, trained.classes[task], training)


@dataclass(frozen=True, slots=True)
class ExplainerResult:
    """The tests of an explainer's maps of one backbone."""

    backbone: str
    explainer: str
    maps: int
    """Number of maps."""
    passed: int
    """Number of maps that passed every test."""
    seconds: float
    """Time of all maps with their tests."""


def check_explainer(trained: Trained, name: str, slot: Slot) -> ExplainerResult:
    """Explain predictions of a run's networks with an explainer, and test the maps.

    The networks are loaded, not trained, and an earlier result is reused.
    """
    out = trained.folder.path / "explainers" / name
    kept = out / "result.json"
    options = slot.model_dump() | slot.options
    if not kept.is_file() or read_json(kept)["asked"] != options:
        shown = trained.recipe.report.model_copy(update={"examples": 1})
        recipe = trained.recipe.model_copy(update={"explain": slot, "report": shown})
        run = open_run(trained.folder.path, recipe=recipe)
        started = time.monotonic()
        explain_into(run, out)
        seconds = time.monotonic() - started
        maps = read_json(out / "saliency" / "index.json")["maps"]
        passed = sum(bool(m["scores"]["verdict"]["passed"]) for m in maps)
        write_json(
            kept, {"asked": options, "maps": len(maps), "passed": passed, "seconds": seconds}
        )
    row = read_json(kept)
    row.pop("asked")
    return ExplainerResult(trained.backbone, name, **row)


@dataclass(frozen=True, slots=True)
class BackboneCost:
    """The cost of a backbone on this machine."""

    backbone: str
    parameters: int
    multiply_adds: int
    """Of one sequence."""
    training_seconds: float
    """Of all networks of the run."""
    study_seconds: float
    """Of predicting the study of one patient."""
    peak_memory_mb: int


def measure_cost(trained: Trained) -> BackboneCost:
    """Measure the cost of a backbone from its run."""
    description = read_json(next(trained.folder.models.rglob("split-00.json")))
    network = bare_model(trained.recipe, len(description["classes"])).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *description["input_shape"]))
    table = read_parquet(trained.folder.predictions)[["level", "split", "patient"]]
    studies = len(table[table["level"] == "subject"].drop_duplicates())
    steps = {row["name"]: row for row in trained.folder.state["stages"]}
    return BackboneCost(
        backbone=trained.backbone,
        parameters=sum(p.numel() for p in network.parameters()),
        multiply_adds=counter.get_total_flops() // 2,  # a multiply-add counts as two operations
        training_seconds=steps["train"]["seconds"],
        study_seconds=steps["predict"]["seconds"] / studies,
        peak_memory_mb=max(row["peak_memory_mb"] for row in steps.values()),
    )
