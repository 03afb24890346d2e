"""Comparison of voting rules and explainers: networks are trained once for all of them."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from echokit.bench.accuracy import train_all
from echokit.bench.leaderboard import write_leaderboard
from echokit.bench.suite import Suite, slots
from echokit.bench.timing import Claim, timing_row
from echokit.folder import RunFolder
from echokit.recipe import load_recipe
from echokit.runs import carry_out
from echokit.system.progress import Silent

RULES = (
    "majority-vote",
    "mean-probability",
    "confidence-weighted",
    "max-confidence",
    "dempster-shafer",
    "borda",
)
EXPLAINERS = ("captum-gradcam", "captum-guided-gradcam")
SMALL = (
    "views.use=['PSAX-P','PLAX']",
    "data.views=['PSAX-P','PLAX']",
    "view_sets={Both=['PSAX-P','PLAX']}",
    "data.files=0",
    "data.machine=reference",
    "data.size=64",
    "data.frames=26",
    "test=false",
    "crossfit.folds=0",
    "train.retries=0",
    "compute.jobs=1",
    "evaluate.bootstrap=50",
)
"""Settings that make a run small."""


def measure(quick: bool) -> list[dict[str, Any]]:
    """Time a benchmark of rules and explainers against one run for each of them: one row."""
    rules, explainers = RULES[: 2 if quick else None], EXPLAINERS[: 0 if quick else None]
    small = [*SMALL, f"data.patients={12 if quick else 60}", f"train.epochs={1 if quick else 6}"]
    small += ["report.examples=0"] if quick else []
    suite = Suite(
        recipe="ph-newborn",
        preset="quick",
        settings=tuple(small),
        backbone={"small": load_recipe("ph-newborn", preset="quick").backbone},
        aggregator=slots(rules),
        explainer=slots(explainers),
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        started = time.perf_counter()
        runs = train_all(suite, folder / "ours", Silent())
        write_leaderboard(suite, runs, folder / "ours", Silent())
        ours = time.perf_counter() - started
        networks = len(list((folder / "ours").rglob("split-*.safetensors")))
        started = time.perf_counter()
        for number, setting in enumerate(
            [f"aggregate.view={rule}" for rule in rules] + [f"explain={e}" for e in explainers]
        ):
            # a run that compares rules need not explain anything
            unexplained = [] if setting.startswith("explain") else ["report.examples=0"]
            settings = [*small, setting, *unexplained]
            recipe = load_recipe("ph-newborn", preset="quick", settings=settings)
            carry_out(recipe, RunFolder.create(folder / "theirs" / f"run-{number}", recipe))
        theirs = time.perf_counter() - started
    claim = Claim(
        f"{len(rules)} voting rules and {len(explainers)} explainers tried on the same networks",
        "a run for each, which trains again",
    )
    return [timing_row(claim, [ours], [theirs]) | {"note": f"{networks} networks, trained once"}]
