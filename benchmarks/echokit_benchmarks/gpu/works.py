"""Trainings through echokit's own path: prepared clips, augmentation, loading processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from echokit.folder import RunFolder
from echokit.recipe import load_recipe
from echokit.runs.jobs import Work, jobs_of
from echokit.runs.start import open_run
from echokit.runs.train import view_works
from echokit.system.checked import read_json
from echokit_benchmarks.training import ONE_NETWORK

EVEN = "data.prevalence=[1, 1, 1]"
"""Setting by which few patients have every label."""


def prepared_works(preset: str, settings: Sequence[str], scratch: Path) -> list[Work]:
    """Prepare a synthetic cohort of one view; return the training of each of its networks."""
    recipe = load_recipe("ph-newborn", preset=preset, settings=[*ONE_NETWORK, EVEN, *settings])
    run = open_run(RunFolder.create(scratch / "run", recipe).path)
    return list(view_works(run, jobs_of(run)))


def with_compute(work: Work, models: Path, **compute: Any) -> Work:
    """Change `[compute]` of a training, and the folder that it writes to."""
    changed = work.recipe.compute.model_copy(update=compute)
    return replace(work, models=models, recipe=work.recipe.model_copy(update={"compute": changed}))


def rate_of(work: Work) -> tuple[float, str]:
    """Compute the samples in a second of a finished training, after its first epoch.

    The first epoch starts the loading processes and chooses algorithms; the note has its rate.
    """
    described = read_json((work.models / work.job.stem).with_suffix(".json"))
    seconds = [max(epoch["seconds"], 1e-3) for epoch in described["history"]]
    samples = work.recipe.train.n * len(work.items)
    later = seconds[1:] or seconds
    return samples * len(later) / sum(later), f"first epoch {samples / seconds[0]:.3g}"
