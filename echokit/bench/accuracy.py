"""The swap matrix: backbones, voting rules and explainers on identical splits.

Each backbone and seed is one ordinary run below the benchmark's folder, trained and predicted
once; every voting rule then votes on what that run's networks said of each sequence.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.bench.suite import Suite
from echokit.clips.store import Store
from echokit.components import make_aggregator, make_model
from echokit.errors import UsageError
from echokit.folder import RunFolder
from echokit.interfaces import SupportsFit
from echokit.recipe import Recipe, Slot, load_recipe
from echokit.system.files import read_json, write_json
from echokit.system.progress import Progress, Silent

if TYPE_CHECKING:
    import pandas as pd

SEED = 1000
"""Splits of one seed are numbered from this times the seed, so that those of all stand apart."""


class Elsewhere(RunFolder):
    """A run whose networks and predictions are read, while what is made goes to another folder."""

    def __init__(self, run: RunFolder, path: Path) -> None:
        super().__init__(path)
        self.run = run

    @property
    def models(self) -> Path:
        """The run's networks."""
        return self.run.models

    @property
    def predictions(self) -> Path:
        """The run's predictions."""
        return self.run.predictions

    @property
    def store(self) -> Path:
        """The run's prepared clips."""
        return self.run.store


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
    from echokit.runs import run

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
                run(recipe, folder, progress)
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
    """Let a voting rule vote on what a run's networks said; no network runs.

    A rule that learns takes views alone, fitted on training patients; the sequences' vote is the
    recipe's own then.

    Returns:
        Rows of level 'subject', one for each patient, split and view set.
    """
    import pandas as pd

    from echokit.voting import votes as predict
    from echokit.voting.ballots import ballots

    table = pd.read_parquet(one.folder.predictions)
    rule = make_aggregator(slot)
    learns = isinstance(rule, SupportsFit)
    rows = []
    for (task, approach), here in table.groupby(["task", "approach"], sort=False):
        classes = one.classes[str(task)]
        if not learns:
            views = pd.DataFrame(list(_views(here, rule, classes)))
            here = pd.concat([views, here[here["level"] == "subject"]])
        for views_name, members in one.recipe.used_view_sets.items():
            for ballot in ballots(here, classes, members):
                place = {"task": task, "approach": approach, "split": ballot.split}
                decide = _fitted(one, slot, classes, place) if learns else rule
                outcome = predict.row(
                    "subject",
                    classes[ballot.truth],
                    decide(ballot.votes),
                    task=str(task),
                    approach=str(approach),
                    split=ballot.split + SEED * one.seed,
                    view=views_name,
                    patient=ballot.patient,
                )
                rows.append(outcome | {"backbone": one.backbone, "aggregator": name})
    return pd.DataFrame(rows)


def _views(table: pd.DataFrame, rule: Any, classes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Each clip's prediction by the votes of its sequences."""
    import numpy as np

    from echokit.types import Votes

    sequences = table[table["level"] == "sequence"]
    for _, clip in sequences.groupby(["split", "view", "clip"], sort=False):
        first = clip.iloc[0]
        probabilities = np.stack(clip["probabilities"].tolist()).astype(np.float64)
        outcome = rule(
            Votes(classes, tuple(map(str, clip["start"])), probabilities.argmax(1), probabilities)
        )
        yield {str(column): value for column, value in first.items()} | {
            "level": "view",
            "start": -1,
            "predicted": outcome.label,
            "confidence": outcome.confidence,
            "probabilities": list(outcome.probabilities),
        }


def _fitted(one: Trained, slot: Slot, classes: tuple[str, ...], place: dict[str, Any]) -> Any:
    from echokit.components import subject_rule

    aggregate = one.recipe.aggregate.model_copy(update={"subject": slot})
    recipe = one.recipe.model_copy(update={"aggregate": aggregate})
    return subject_rule(recipe, one.folder.path / "crossfit.parquet", classes, **place)


def explained(one: Trained, name: str, slot: Slot) -> dict[str, Any]:
    """How an explainer's maps of a run's networks fare in their tests, and what one takes.

    The networks are loaded, not trained; what was explained before is not explained again.
    """
    from echokit.runs.cohort import find_clips, prepare_cohort
    from echokit.runs.explain import explain_all

    place = Elsewhere(one.folder, one.folder.path / "explainers" / name)
    kept = place.path / "result.json"
    asked = slot.model_dump() | slot.options
    if not kept.is_file() or read_json(kept)["asked"] != asked:
        store = Store(one.folder.store)
        study = prepare_cohort(find_clips(one.recipe, store, Silent()), one.recipe, store, Silent())
        shown = one.recipe.report.model_copy(update={"examples": 1})
        recipe = one.recipe.model_copy(update={"explain": slot, "report": shown})
        started = time.monotonic()
        explain_all(study, recipe, place, Silent())
        seconds = time.monotonic() - started
        maps = read_json(place.path / "saliency" / "index.json")["maps"]
        passed = sum(bool(m["scores"]["verdict"]["passed"]) for m in maps)
        write_json(kept, {"asked": asked, "maps": len(maps), "passed": passed, "seconds": seconds})
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
