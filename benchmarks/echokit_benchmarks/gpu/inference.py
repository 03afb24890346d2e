"""Studies in a second: five views of ten sequences each, through the network of `paper`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.special import softmax
from torch import nn

from echokit.components.networks import make_model
from echokit.engines.eager import run_compiled, run_eagerly
from echokit.engines.engine import Running
from echokit.networks.checkpoint import channels_last
from echokit.recipe import load_recipe
from echokit_benchmarks.gpu.rows import Case, Row, measure_cases

VIEWS = 5
UNIT = "studies/s"
LOOP = "eager fp32, one sequence at a time"


def measure(out: Path, seconds: float, device: torch.device, tiny: bool) -> list[Row]:
    """Measure inference; write `inference.json`."""
    width, side, each = (4, 32, 0.0) if tiny else (64, 224, 4.0)
    recipe = load_recipe("ph-newborn", preset="paper", settings=[f"backbone.width={width}"])
    shape = (recipe.sequences.n, 1, recipe.sequences.k, side, side)
    inputs = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = channels_last(make_model(recipe, 3).eval()).to(device)
    expected = run_eagerly(network).forward(inputs)
    timed = partial(_timed, inputs, expected, each)
    cases = [
        Case(LOOP, UNIT, timed(lambda: _one_by_one(network, device))),
        Case("torch, exact (fp32)", UNIT, timed(lambda: run_eagerly(network).forward), LOOP),
        Case("torch, fast (bf16)", UNIT, timed(lambda: run_eagerly(network, "fast").forward), LOOP),
    ]
    if device.type == "cuda":
        for name, precision in (("fast (bf16)", "fast"), ("exact (fp32)", "exact")):
            make: Callable[[], Forward] = partial(_compiled, network, precision)
            cases.append(Case(f"torch.compile, {name}", UNIT, timed(make), LOOP))
    return measure_cases("inference", cases, out / "inference.json", seconds, device)


Forward = Callable[[np.ndarray], np.ndarray]


def _compiled(network: nn.Module, precision: str) -> Forward:
    """Compile a network."""
    running: Running = run_compiled(network, "fast" if precision == "fast" else "exact")
    return running.forward


def _one_by_one(network: nn.Module, device: torch.device) -> Forward:
    """Run a network as a user would write it: a loop over sequences, PyTorch's defaults."""

    @torch.inference_mode()
    def forward(inputs: np.ndarray) -> np.ndarray:
        logits = [network(torch.from_numpy(one)[None].to(device)) for one in inputs]
        return torch.cat(logits).cpu().numpy()

    return forward


def _timed(
    inputs: np.ndarray, expected: np.ndarray, seconds: float, make: Callable[[], Forward]
) -> Callable[[], tuple[float, str]]:
    """Make the measurement of one way to run the network, from arrays to logits on the CPU."""

    def measured() -> tuple[float, str]:
        forward = make()
        for _ in range(2):
            logits = forward(inputs)
        started, studies = time.perf_counter(), 0
        while not studies or time.perf_counter() - started < seconds:
            for _ in range(VIEWS):
                forward(inputs)
            studies += 1
        rate = studies / (time.perf_counter() - started)
        difference = np.abs(logits - expected).max()
        chance = np.abs(softmax(logits, axis=1) - softmax(expected, axis=1)).max()
        return rate, f"logits differ by {difference:.1e} from exact, probabilities by {chance:.1e}"

    return measured
