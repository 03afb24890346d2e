"""Compare ways to train a network, over several seeds, on patients whom no other figure uses.

Each seed makes its own synthetic patients: those of one split learn, and the others, held out, are
predicted, as are patients of another machine. Seeds begin at 100, so that no preset's own cohort
and no external test cohort takes part in the choice.
Run `python benchmarks/learning/compare.py --help`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from echokit.clips.store import Store
from echokit.evaluation.metrics import scores
from echokit.folder import RunFolder
from echokit.recipe import Recipe, load_recipe
from echokit.runs import external, predict, train
from echokit.runs.cohort import find_cohort
from echokit.runs.context import Run
from echokit.runs.prepare import prepare_cohort
from echokit.system.checked import read_json
from echokit.system.files import write_text
from echokit.system.machine import machine
from echokit.system.progress import Silent
from echokit.types import Votes
from echokit.voting.table import CLIP, VIEW, PredictionTable

FIRST_SEED = 100
FIRST_TEST = 1000
"""What is added to a seed for that of its patients of another machine."""
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Outcome:
    """One view, or the vote of all, of one setting and seed."""

    setting: str
    seed: int
    views: str
    n: int
    """Number of held-out subjects."""
    f1: float
    balanced_accuracy: float
    auroc: float
    f1_prior: float
    """Weighted F1 if probabilities are corrected for the balanced draws."""
    f1_external: float
    """Weighted F1 of patients of another machine."""
    seconds: float
    """Seconds of training; 0 for the vote."""
    attempts: int
    learned: bool


def recipe_of(changes: Mapping[str, Any], seed: int) -> Recipe:
    """Load the recipe of one setting and seed."""
    texts = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    texts += [f"data.seed={seed}", f"seed={seed}", f"test.seed={seed + FIRST_TEST}"]
    return load_recipe("ph-newborn", preset="quick", settings=texts)


def carry_out(name: str, changes: Mapping[str, Any], seed: int, out: Path) -> list[Outcome]:
    """Train and predict one setting with one seed; a finished one is read."""
    torch.set_num_threads(1)
    rows, path = out / "outcomes", out / "outcomes" / f"{name} {seed}.json"
    rows.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        return [Outcome(**row) for row in read_json(path)]
    run = _run(f"{name}-{seed}", recipe_of(changes, seed), out)
    train.step(run)
    predict.step(run)
    external.step(run)
    found = list(outcomes(run, name, seed))
    write_text(path, json.dumps([asdict(row) for row in found]))
    return found


def _run(name: str, recipe: Recipe, out: Path) -> Run:
    folder = out / "runs" / name
    opened = RunFolder.open(folder) if folder.is_dir() else RunFolder.create(folder, recipe)
    cohort = find_cohort(recipe, Store(opened.store), Silent())
    population, _ = prepare_cohort(cohort, recipe, opened, Silent())
    return Run(recipe, opened, population)


def prepare(changes: Mapping[str, Any], seed: int, out: Path) -> None:
    """Prepare the clips of one setting and seed, which other settings share."""
    torch.set_num_threads(1)
    _run(f"clips-{os.getpid()}-{time.monotonic_ns()}", recipe_of(changes, seed), out)


def outcomes(run: Run, name: str, seed: int) -> Iterator[Outcome]:
    """Yield the figures of each view, and of the vote of all views."""
    table, classes = run.held_out, run.population.classes("severity")
    others = PredictionTable.read(run.folder.external_predictions)
    for (view,), rows in table.views.groups(VIEW):
        described = read_json(run.weights(run.job(view)).with_suffix(".json"))
        corrected = with_prior(run, table, view, classes)
        yield Outcome(
            name, seed, view, rows.n_subjects, **_figures(rows, classes), f1_prior=corrected,
            f1_external=_figures(others.views.where(view=view), classes)["f1"],
            seconds=round(sum(row["seconds"] for row in described["history"]), 1),
            attempts=described["attempts"], learned=not described["learned"]["reason"],
        )  # fmt: skip
    votes = table.subjects
    figures = _figures(votes, classes)
    yield Outcome(name, seed, "vote", votes.n_subjects, **figures, f1_prior=figures["f1"],
                  f1_external=_figures(others.subjects, classes)["f1"], seconds=0,
                  attempts=0, learned=True)  # fmt: skip


def _figures(rows: PredictionTable, classes: tuple[str, ...]) -> dict[str, float]:
    found = scores(rows.truth(classes), rows.predicted(classes), rows.probabilities)
    return {name: float(found[name] or np.nan) for name in ("f1", "balanced_accuracy", "auroc")}


def with_prior(run: Run, table: PredictionTable, view: str, classes: tuple[str, ...]) -> float:
    """Compute the weighted F1 if sequences' probabilities are weighted by the labels' shares."""
    items = run.population.items(run.job(view), "train")
    prior = np.bincount([item.label for item in items], minlength=len(classes)) / len(items)
    rule = run.parts["spatio-temporal"].view_rule
    truth, predicted = [], []
    for _, rows in table.sequences.where(view=view).groups(CLIP):
        weighted = rows.probabilities * prior
        weighted /= weighted.sum(1, keepdims=True)
        votes = Votes(classes, rows.sequence_votes(classes).voters, weighted.argmax(1), weighted)
        truth.append(int(rows.truth(classes)[0]))
        predicted.append(classes.index(rule(votes).label))
    probabilities = np.full((len(truth), len(classes)), 1 / len(classes))
    return float(scores(np.array(truth), np.array(predicted), probabilities)["f1"] or 0.0)


def all_outcomes(
    settings: Mapping[str, Mapping[str, Any]], seeds: int, out: Path, jobs: int, limit: float
) -> list[Outcome]:
    """Carry out every setting with every seed, `jobs` at a time, until `limit` seconds are over."""
    began, found = time.monotonic(), list[Outcome]()
    numbers = range(FIRST_SEED, FIRST_SEED + seeds)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        clips = {json.dumps({k: v for k, v in changes.items() if k.split(".")[0] in CLIPS}): changes
                 for changes in settings.values()}  # fmt: skip
        for future in [pool.submit(prepare, c, s, out) for c in clips.values() for s in numbers]:
            future.result()
        print(f"clips prepared in {time.monotonic() - began:.0f} s", flush=True)
        # a seed of every setting before the next seed: a stop leaves whole rows of the table
        work = [
            pool.submit(carry_out, name, changes, seed, out)
            for seed in numbers
            for name, changes in settings.items()
        ]
        try:
            for future in as_completed(work, max(1.0, limit - (time.monotonic() - began))):
                found += future.result()
        except TimeoutError:
            print("stopped by --limit", flush=True)
            for process in pool._processes.values():
                process.kill()
            pool.shutdown(wait=False, cancel_futures=True)
    return found


CLIPS = ("data", "prepare", "views")
"""Tables of the recipe that determine the prepared clips."""


def table(found: list[Outcome]) -> str:
    """Format the figures: mean over seeds, worst seed in brackets."""
    frame = pd.DataFrame([asdict(row) for row in found])
    columns = (*sorted(set(frame["views"]) - {"vote"}), "vote")
    lines = [
        "| setting | " + " | ".join(f"{c}: F1 (worst), bal." for c in columns)
        + " | vote, other machine (worst) | F1 with prior | s a network | seeds |",
        "|---" * (len(columns) + 5) + "|",
    ]  # fmt: skip
    for name, rows in frame.groupby("setting", sort=False):
        cells = []
        for column in columns:
            part = rows[rows["views"] == column]
            f1, bal = part["f1"], part["balanced_accuracy"]
            cells.append(f"{f1.mean():.3f} ({f1.min():.2f}), {bal.mean():.3f}")
        views = rows[rows["views"] != "vote"]
        other = rows[rows["views"] == "vote"]["f1_external"]
        gain = (views["f1_prior"] - views["f1"]).mean()
        lines.append(
            f"| {name} | " + " | ".join(cells)
            + f" | {other.mean():.3f} ({other.min():.2f}) | {gain:+.3f}"
            + f" | {views['seconds'].mean():.0f} | {rows['seed'].nunique()} |"
        )  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Read the settings, carry them out and write `learning.csv` and `table.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, default=HERE / "settings.toml")
    parser.add_argument("--only", nargs="*", help="names of settings; all if not given")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("runs/learning"))
    parser.add_argument("--set", nargs="*", default=[], help="key=value for every setting")
    parser.add_argument("--limit", type=float, default=1e6, help="seconds after which it stops")
    given = parser.parse_args()
    document = tomllib.loads(given.settings.read_text())
    shared = document["shared"] | {
        key: json.loads(value) for key, value in (text.split("=", 1) for text in given.set)
    }
    settings = {
        name: shared | changes
        for name, changes in document["settings"].items()
        if not given.only or name in given.only
    }
    began = time.monotonic()
    given.out.mkdir(parents=True, exist_ok=True)
    found = all_outcomes(settings, given.seeds, given.out, given.jobs, given.limit)
    frame = pd.DataFrame([asdict(row) for row in found]).sort_values(["setting", "seed", "views"])
    frame.to_csv(given.out / "learning.csv", index=False, float_format="%.4f")
    text = table(found)
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    write_text(
        given.out / "table.md",
        f"{text}\n\nMachine: {machine()}, {name}; {given.jobs} at a time; "
        f"{time.monotonic() - began:.0f} s in all.\n",
    )
    print(text)


if __name__ == "__main__":
    main()
