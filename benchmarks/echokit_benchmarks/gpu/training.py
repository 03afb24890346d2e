"""Training samples in a second of the preset `paper`, against bare loops."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from echokit.recipe import Recipe
from echokit.runs.jobs import Work
from echokit_benchmarks.gpu.loops import Loop, samples_per_second
from echokit_benchmarks.gpu.rows import Case, Row, measure_cases
from echokit_benchmarks.gpu.works import prepared_works, rate_of, with_compute

PAPER = ["train.epochs=3", "train.n=40", "data.size=224", "data.frames=20"]
TINY = ["train.epochs=2", "train.n=1", "data.patients=9", "data.frames=14", "backbone.width=4"]
BARE = "bare loop, bf16"
UNIT = "samples/s"


def measure(out: Path, seconds: float, device: torch.device, tiny: bool) -> list[Row]:
    """Measure training; write `training.json`."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (work,) = prepared_works("quick" if tiny else "paper", TINY if tiny else PAPER, place)
        cases = training_cases(work, place, device, tiny)
        return measure_cases("training", cases, out / "training.json", seconds, device)


def training_cases(work: Work, scratch: Path, device: torch.device, tiny: bool) -> list[Case]:
    """List the cases, the most telling ones first."""
    side = work.recipe.prepare["resize"].options["size"]
    bare = partial(_bare, work.recipe, device, side, 2 if tiny else 60)
    ours = partial(_ours, work, scratch)
    cases = [
        Case(BARE, UNIT, bare(Loop())),
        Case("echokit", UNIT, ours("plain"), BARE, 0.95),
        Case("bare loop, fp32 as PyTorch computes it (TF32)", UNIT, bare(Loop(bf16=False))),
        Case("bare loop, fp32 without TF32", UNIT, bare(Loop(bf16=False, tf32=False))),
        Case("echokit, deterministic", UNIT, ours("same", deterministic=True), "echokit"),
    ]
    if device.type == "cuda":
        cases += [
            Case("bare loop, bf16, compiled", UNIT, bare(Loop(mode="default")), BARE),
            Case(
                "echokit, compiled", UNIT, ours("fast", compile=True), "bare loop, bf16, compiled"
            ),
        ]
    return cases


def _bare(
    recipe: Recipe, device: torch.device, side: int, steps: int, loop: Loop
) -> Callable[[], tuple[float, str]]:
    """Make the measurement of a bare loop."""
    return lambda: (samples_per_second(recipe, loop, device, side, steps, seconds=8), "")


def _ours(work: Work, scratch: Path, name: str, **compute: Any) -> Callable[[], tuple[float, str]]:
    """Make the measurement of echokit's training."""

    def measured() -> tuple[float, str]:
        changed = with_compute(work, scratch / name, **compute)
        changed(lambda done: None)
        return rate_of(changed)

    return measured
