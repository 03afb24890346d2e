"""Choose the engine that runs a network: the requested one or the fastest that agrees with torch.

A converted network is kept beside the run, together with its differences from torch, so that only
the first study of a run waits for converting and comparing.
"""

from __future__ import annotations

import copy
import hashlib
import shutil
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from echokit.engines.agreement import Agreement, compare
from echokit.engines.engine import PRECISIONS, Engine, EngineWarning, Precision, Running
from echokit.engines.onnx_runtime import ONNX_RUNTIME
from echokit.engines.open_vino import OPENVINO
from echokit.errors import DamagedError, UsageError, nearest
from echokit.system.checked import read_json
from echokit.system.digests import Digests
from echokit.system.files import whole_folder, write_json
from echokit.system.leftovers import scratch_folder

if TYPE_CHECKING:
    from torch import nn

ENGINES: tuple[Engine, ...] = (OPENVINO, ONNX_RUNTIME)
"""Engines besides torch, the fastest first."""
NAMES = ("auto", "torch", "torch-compile", *sorted(engine.name for engine in ENGINES))
WORTH = 1e14
"""Weights times voxels above which another engine saves more time than converting takes.

Ten sequences of 12x224x224 through R(2+1)D-18 are twice as much."""


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """The engine and precision that a user asks for."""

    engine: str = "auto"
    precision: Precision = "exact"

    def __post_init__(self) -> None:
        """Check both names, and that the engine is installed.

        Raises:
            UsageError: the engine or precision is unknown, or the engine is not installed.
        """
        if self.engine not in NAMES:
            raise UsageError(f"There is no engine {self.engine!r}: {nearest(self.engine, NAMES)}")
        if self.precision not in PRECISIONS:
            known = " or ".join(PRECISIONS)
            raise UsageError(f"There is no precision {self.precision!r}: take {known}.")
        for engine in ENGINES:
            if engine.name == self.engine:
                engine.check()

    def candidates(self, engines: Iterable[Engine]) -> list[Engine]:
        """Return the engines that may serve the request, in their order."""
        if self.engine == "auto":
            return [engine for engine in engines if engine.version is not None]
        return [engine for engine in engines if engine.name == self.engine]


@dataclass(frozen=True, slots=True)
class ChosenEngine:
    """The engine chosen for one network, and its agreement with torch."""

    running: Running
    precision: Precision
    agreement: Agreement | None
    """None for torch itself, with which the others are compared."""

    def as_json(self) -> dict[str, object]:
        """Convert to the entry of `inference` in `prediction.json`."""
        return {
            "engine": self.running.engine,
            "version": self.running.version,
            "precision": self.precision,
            "computes_in": self.running.computes_in,
            "agreement": self.agreement.as_json() if self.agreement else None,
        }


def choose(
    network: nn.Module,
    identity: str,
    sample: Float32[np.ndarray, "B C T H W"],
    sequences: int,
    request: EngineRequest,
    cache: Path | None,
) -> ChosenEngine:
    """Choose the engine of a network, which torch can run too.

    An engine whose results differ from torch's, or that cannot run the network, is passed over
    with an `EngineWarning`.

    Args:
        network: in evaluation mode, on its device.
        identity: a text that tells this network from any other.
        sample: two or more sequences to compare engines on; the others have the same size.
        sequences: number of sequences that the network will be run on.
        request: the engine and precision that the user asks for.
        cache: folder that keeps converted networks and their agreement; None keeps nothing.
    """
    # torch is imported here, so that bundles of other engines open without it
    from echokit.engines.eager import run_compiled, run_eagerly

    reference = run_eagerly(network)
    device = next(network.parameters()).device
    folder = cache / hashlib.sha256(identity.encode()).hexdigest()[:12] if cache else None
    record = _Record(folder / "agreement.json" if folder else None, sample, reference)
    work = sum(p.numel() for p in network.parameters()) * sample[0].size * sequences
    attempts: list[tuple[str, Callable[[], Running]]] = []
    if request.engine != "auto" or (device.type == "cpu" and work >= WORTH):
        for engine in request.candidates(ENGINES):
            load = partial(_load, engine, network, sample, folder, request.precision)
            attempts.append((engine.name, load))
    if request.engine == "torch-compile":
        attempts.append((request.engine, partial(run_compiled, network, request.precision)))
    if request.precision == "fast":
        attempts.append(("torch", partial(run_eagerly, network, "fast")))
    for name, attempt in attempts:
        chosen = _attempt(name, attempt, record, request.precision)
        if chosen is not None:
            return chosen
    return ChosenEngine(reference, "exact", None)


@dataclass(frozen=True, slots=True)
class _Record:
    """The measured agreements of one network's engines, kept in a file."""

    path: Path | None
    sample: Float32[np.ndarray, "B C T H W"]
    reference: Running

    def accept(self, running: Running, precision: Precision) -> ChosenEngine | None:
        """Compare an engine with torch, or reuse an earlier comparison; None if they differ."""
        stored = read_json(self.path) if self.path and self.path.is_file() else []
        rows = [Agreement(**row) for row in stored]
        agreement = next((row for row in rows if row.is_of(running, precision)), None)
        if agreement is None:
            expected = self.reference.forward(self.sample)
            agreement = compare(running, precision, self.sample, expected)
            if self.path is not None:
                with suppress(OSError):  # in a folder without write access, compare every time
                    write_json(self.path, [row.as_json() for row in [*rows, agreement]])
        if agreement.holds:
            return ChosenEngine(running, precision, agreement)
        warnings.warn(refusal(agreement), EngineWarning, stacklevel=2)
        return None


def refusal(agreement: Agreement) -> str:
    """State in a sentence why an engine is not used."""
    return (
        f"The engine {agreement.engine} {agreement.version} ({agreement.precision}) is not used: "
        f"its logits differ from torch's by {agreement.logits:.1e}, its probabilities by "
        f"{agreement.probabilities:.1e}."
    )


def _attempt(
    name: str, load: Callable[[], Running], record: _Record, precision: Precision
) -> ChosenEngine | None:
    """Load an engine and compare it; None, with a warning, if either fails."""
    try:
        return record.accept(load(), precision)
    except Exception as error:  # libraries raise errors of any class for an unknown operation
        first_line = next(iter(str(error).splitlines()), "")
        warnings.warn(
            f"The engine {name} cannot run this network: {type(error).__name__}: {first_line}",
            EngineWarning,
            stacklevel=2,
        )
        return None


def _load(
    engine: Engine,
    network: nn.Module,
    sample: Float32[np.ndarray, "B C T H W"],
    folder: Path | None,
    precision: Precision,
) -> Running:
    """Load a network into an engine; convert it first unless the folder holds it converted."""
    kept = folder / f"{engine.name}-{engine.version}" if folder else None
    if kept is not None and _is_whole(kept, engine.file):
        return engine.load(kept / engine.file, precision)
    with scratch_folder() as converted:
        engine.convert(on_cpu(network), sample, converted / engine.file)
        if kept is not None and _keep(converted, kept):
            converted = kept  # weights stay mapped to their file, and the scratch folder goes
        return engine.load(converted / engine.file, precision)


def on_cpu(network: nn.Module) -> nn.Module:
    """Return the network on the CPU, where converters need it; copy it if it is elsewhere."""
    if next(network.parameters()).device.type == "cpu":
        return network
    return copy.deepcopy(network).cpu()


def _keep(converted: Path, folder: Path) -> bool:
    """Copy a converted network to its folder; return whether it is there afterwards."""
    # OSError: no write access, or another process was first
    with suppress(OSError), whole_folder(folder) as partial_copy:
        shutil.copytree(converted, partial_copy, dirs_exist_ok=True)
        Digests(partial_copy).record(("*",))
    return folder.is_dir()


def _is_whole(folder: Path, file: str) -> bool:
    """Return True if a converted network is there as it was written; a damaged one is removed."""
    if not (folder / file).is_file():
        return False
    try:
        Digests.read(folder).require("*")
    except DamagedError:
        shutil.rmtree(folder, ignore_errors=True)  # it is converted again
        return False
    return True
