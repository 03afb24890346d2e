"""Inference: the sequences of a study by each engine, against a loop of eager PyTorch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import nn

from echokit import resolve
from echokit.bench.timing import Claim, paired, timing_row
from echokit.engines.choose import ENGINES
from echokit.engines.eager import run_eagerly
from echokit.engines.engine import PRECISIONS, Precision, Running


def measure(quick: bool) -> list[dict[str, Any]]:
    """Time each installed engine at each precision, including torch: one row each."""
    side, width, sequences, repeats = (48, 12, 2, 1) if quick else (224, 64, 2, 3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain, ours = (_network(width) for _ in range(2))
    ours.load_state_dict(plain.state_dict())
    ours = ours.to(memory_format=torch.channels_last_3d)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((sequences, 1, 12, side, side), dtype=np.float32)
    expected = _eagerly(plain, inputs)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, make in _engines(ours, inputs, Path(scratch)):
            for precision in PRECISIONS:
                running = make(precision)
                claim = Claim(
                    f"{sequences} sequences of R(2+1)D-18, width {width}, 12×{side}×{side}, "
                    f"{name}, {precision} ({running.computes_in})",
                    "eager PyTorch, one sequence at a time",
                )
                row = timing_row(claim, *_timed(running, plain, inputs, repeats))
                probabilities = softmax(running.forward(inputs), axis=1)
                difference = np.abs(probabilities - softmax(expected, axis=1)).max()
                note = f"largest difference of a probability {difference:.1e}"
                rows.append(row | {"max_difference": float(difference), "note": note})
    return rows


def _network(width: int) -> nn.Module:
    network: nn.Module = resolve(
        "backbone", "pytorchvideo-r2plus1d-18", num_classes=3, in_channels=1, width=width
    )
    return network.eval()


def _engines(
    network: nn.Module, example: np.ndarray, scratch: Path
) -> list[tuple[str, Callable[[Precision], Running]]]:
    """Convert the network for each installed engine; returns functions that load it."""
    engines: list[tuple[str, Callable[[Precision], Running]]] = []
    for engine in ENGINES:
        if engine.version is not None:
            file = scratch / engine.name / engine.file
            file.parent.mkdir()
            engine.convert(network, example, file)
            engines.append((engine.name, partial(engine.load, file)))
    return [*engines, ("torch", partial(run_eagerly, network))]


def _timed(
    running: Running, plain: nn.Module, inputs: np.ndarray, repeats: int
) -> tuple[list[float], list[float]]:
    return paired(lambda: running.forward(inputs), lambda: _eagerly(plain, inputs), repeats)


def _eagerly(network: nn.Module, inputs: np.ndarray) -> np.ndarray:
    """Compute logits as a user would write it: a loop over sequences."""
    with torch.inference_mode():
        logits = [network(torch.from_numpy(sequence)[None]) for sequence in inputs]
    return torch.cat(logits).numpy()
