"""Training: against the network alone, and its memory format against PyTorch's default."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echokit.bench.timing import Claim, timing_row
from echokit.components.networks import make_model
from echokit.folder import RunFolder
from echokit.recipe import Recipe, load_recipe
from echokit.runs.jobs import jobs_of
from echokit.runs.start import open_run
from echokit.runs.train import view_works
from echokit.system.checked import read_json

ONE_NETWORK = [
    "views.use=['PSAX-P']",
    "data.views=['PSAX-P']",
    "data.files=0",
    "data.machine=reference",
    "data.patients=20",
    "tasks.binary.enabled=false",
    "crossfit.folds=0",
    "feature_fusion.enabled=false",
    "approaches.spatial.enabled=false",
    "split.splits=1",
    "split.held_out=0.4",
    "backbone.weights=none",
    "train.retries=0",
]
"""Settings of a run that trains a single network."""
QUICK = ["train.epochs=4", "train.n=2"]
TINY = ["train.epochs=1", "train.n=1"]
PAPER = ["train.epochs=1", "train.n=1", "data.patients=10", "data.size=224", "data.frames=16"]


def measure(quick: bool) -> list[dict[str, Any]]:
    """Time training samples at `quick` and `paper` settings, and one training step: a row each."""
    rows = [_throughput("quick", TINY if quick else QUICK, 1 if quick else 7)]
    if not quick:
        rows.append(_throughput("paper", PAPER, 3))
    return [*rows, *_step(side=48 if quick else 112, width=12 if quick else 64)]


def _throughput(preset: str, more: list[str], repeats: int) -> dict[str, Any]:
    """Time a sample of `echokit.networks.train` against a loop on tensors in memory."""
    recipe = load_recipe("ph-newborn", preset=preset, settings=[*ONE_NETWORK, *more])
    side = recipe.prepare["resize"].options["size"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = RunFolder.create(Path(scratch) / "run", recipe)
        run = open_run(folder.path)
        (work,) = view_works(run, jobs_of(run))
        samples = recipe.train.epochs * recipe.train.n * len(work.items)
        batch = recipe.train.batch
        inputs = torch.randn(4 * batch, 1, recipe.sequences.k, side, side)
        ours, bare = [], []
        for _ in range(repeats):
            described = (folder.models / work.job.stem).with_suffix(".json")
            work(lambda done: None)
            ours.append(sum(e["seconds"] for e in read_json(described)["history"]) / samples)
            described.unlink()
            bare.append(_bare(recipe, inputs, samples) / samples)
    claim = Claim(
        f"training sample, {preset} settings, through store and augmentation",
        "a bare loop on tensors in memory",
        at_most=1 / 0.95,
    )
    return timing_row(claim, ours, bare)


def _bare(recipe: Recipe, inputs: Tensor, samples: int) -> float:
    """Time the same number of training steps on tensors in memory, in seconds."""
    model = make_model(recipe, 3).to(memory_format=torch.channels_last_3d).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.train.lr)
    batch = recipe.train.batch
    labels = torch.arange(batch) % 3
    batches = [b.to(memory_format=torch.channels_last_3d) for b in torch.split(inputs, batch)]
    started = time.perf_counter()
    for step in range(-(-samples // batch)):
        size = min(batch, samples - step * batch)
        _train_step(model, optimizer, batches[step % len(batches)][:size], labels[:size])
    return time.perf_counter() - started


def _train_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, sequences: Tensor, labels: Tensor
) -> float:
    loss = F.cross_entropy(model(sequences), labels)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.item()


def _step(side: int, width: int) -> list[dict[str, Any]]:
    """Time a training step in channels_last_3d against contiguous PyTorch, and compare losses."""
    recipe = load_recipe(
        "ph-newborn", preset="quick", settings=[f"backbone.width={width}", "backbone.weights=none"]
    )
    rng = torch.Generator().manual_seed(0)
    batches = [torch.randn(2, 1, 12, side, side, generator=rng) for _ in range(4)]
    labels = torch.tensor([0, 2])
    losses: list[list[float]] = []
    times: list[list[float]] = []
    steppers = [
        _stepper(recipe, layout, batches, labels) for layout in (torch.channels_last_3d, None)
    ]
    for stepper in steppers:
        losses.append([stepper(0)])
        times.append([])
    for step in range(1, 20):
        for kept, seconds, stepper in zip(losses, times, steppers, strict=True):
            started = time.perf_counter()
            kept.append(stepper(step))
            seconds.append(time.perf_counter() - started)
    claim = Claim(
        f"training step, R(2+1)D-18, width {width}, 2 × 12×{side}×{side}",
        "contiguous eager PyTorch",
        at_least=1.5,
    )
    difference = max(abs(a - b) for a, b in zip(*losses, strict=True))
    note = f"largest difference of 20 losses {difference:.1e}"
    return [timing_row(claim, *times) | {"note": note}]


def _stepper(
    recipe: Recipe, layout: torch.memory_format | None, batches: list[Tensor], labels: Tensor
) -> Callable[[int], float]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make_model(recipe, 3).train()
    if layout is not None:
        model = model.to(memory_format=layout)
        batches = [batch.to(memory_format=layout) for batch in batches]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    return lambda step: _train_step(model, optimizer, batches[step % len(batches)], labels)
