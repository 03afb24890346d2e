"""Which engine judges: the one asked for or the best installed, once it has shown that it agrees.

A converted network is kept beside the run, with how far each engine was from torch, so that only
the first study of a run pays for converting and comparing.
"""

from __future__ import annotations

import copy
import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.engines.agreement import Agreement, compare
from echokit.engines.engine import PRECISIONS, Engine, EngineWarning, Precision, Running
from echokit.engines.onnx_runtime import ONNX_RUNTIME
from echokit.engines.open_vino import OPENVINO
from echokit.errors import UsageError, nearest
from echokit.files import read_json, write_json

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32
    from torch import nn

ENGINES: tuple[Engine, ...] = (OPENVINO, ONNX_RUNTIME)
"""Engines beside torch, the fastest first."""
NAMES = ("auto", "torch", "torch-compile", *sorted(engine.name for engine in ENGINES))
WORTH = 1e14
"""Weights times voxels from which on another engine soon makes up for the seconds that converting
takes: ten sequences of 12x224x224 through R(2+1)D-18 are twice as much."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user wants of the engine."""

    engine: str = "auto"
    precision: Precision = "exact"

    def __post_init__(self) -> None:
        """Refuse what there is not.

        Raises:
            UsageError: no engine or precision is called so, or the engine is not installed.
        """
        if self.engine not in NAMES:
            raise UsageError(f"There is no engine {self.engine!r}: {nearest(self.engine, NAMES)}")
        if self.precision not in PRECISIONS:
            known = " or ".join(PRECISIONS)
            raise UsageError(f"There is no precision {self.precision!r}: take {known}.")
        for engine in ENGINES:
            if engine.name == self.engine:
                engine.check()

    def among(self, engines: Iterable[Engine]) -> list[Engine]:
        """The engines that come into question, in order."""
        if self.engine == "auto":
            return [engine for engine in engines if engine.version is not None]
        return [engine for engine in engines if engine.name == self.engine]


@dataclass(frozen=True, slots=True)
class Judge:
    """The engine that was chosen for one network, and how far it is from torch."""

    running: Running
    precision: Precision
    agreement: Agreement | None
    """None for torch itself, which is what others are compared with."""

    def as_json(self) -> dict[str, Any]:
        """For `prediction.json`."""
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
    asked: Asked,
    kept: Path,
) -> Judge:
    """Choose the engine of a network that torch can run, too.

    Args:
        network: in evaluation, on its device.
        identity: a text that tells this network from any other.
        sample: two sequences or more to compare engines on; all have its size.
        sequences: how many are to be judged.
        asked: what the user wants.
        kept: folder in which converted networks are kept, with their agreement.
    """
    from echokit.engines.eager import compiled, run_eagerly

    reference = run_eagerly(network)
    device = next(network.parameters()).device
    folder = kept / hashlib.sha256(identity.encode()).hexdigest()[:12]
    record = _Record(folder / "agreement.json", sample, reference)
    work = sum(p.numel() for p in network.parameters()) * sample[0].size * sequences
    if asked.engine != "auto" or (device.type == "cpu" and work >= WORTH):
        for engine in asked.among(ENGINES):
            judge = _try(engine, network, folder, record, asked.precision)
            if judge is not None:
                return judge
    if asked.engine == "torch-compile":
        with_compiler = replace(
            run_eagerly(compiled(network), asked.precision), engine=asked.engine
        )
        judge = record.judged(with_compiler, asked.precision)
        if judge is not None:
            return judge
    if asked.precision == "fast":
        judge = record.judged(run_eagerly(network, "fast"), "fast")
        if judge is not None:
            return judge
    return Judge(reference, "exact", None)


@dataclass(frozen=True, slots=True)
class _Record:
    """What is known of one network's engines, in a file."""

    path: Path
    sample: Float32[np.ndarray, "B C T H W"]
    reference: Running

    def judged(self, running: Running, precision: Precision) -> Judge | None:
        """Compare an engine with torch, unless that was done; None, with a warning, if not alike."""
        rows = [Agreement(**row) for row in read_json(self.path)] if self.path.is_file() else []
        agreement = next((row for row in rows if row.is_of(running, precision)), None)
        if agreement is None:
            expected = self.reference.forward(self.sample)
            agreement = compare(running, precision, self.sample, expected)
            _keep(self.path, [*(row.as_json() for row in rows), agreement.as_json()])
        return trusted(running, precision, agreement)


def trusted(running: Running, precision: Precision, agreement: Agreement) -> Judge | None:
    """The engine as a judge if it agrees with torch; else None, with a warning."""
    if agreement.holds:
        return Judge(running, precision, agreement)
    warnings.warn(
        f"The engine {running.engine} {running.version} ({precision}) is not used: its logits "
        f"differ from torch's by {agreement.logits:.1e}, probabilities by "
        f"{agreement.probabilities:.1e}.",
        EngineWarning,
        stacklevel=2,
    )
    return None


def _try(
    engine: Engine, network: nn.Module, folder: Path, record: _Record, precision: Precision
) -> Judge | None:
    """Convert a network for an engine, unless that was done, and compare it with torch."""
    place = folder / f"{engine.name}-{engine.version}"
    try:
        if (place / engine.file).is_file():
            return record.judged(engine.load(place / engine.file, precision), precision)
        with tempfile.TemporaryDirectory(prefix="echokit-") as scratch:
            made = Path(scratch) / "network"
            made.mkdir()
            engine.convert(on_cpu(network), record.sample, made / engine.file)
            running = engine.load(made / engine.file, precision)
            _keep_folder(made, place)
            return record.judged(running, precision)
    except Exception as error:  # whatever a library raises of a network that it does not know
        warnings.warn(
            f"The engine {engine.name} cannot take this network: {type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else ''}",
            EngineWarning,
            stacklevel=2,
        )
        return None


def on_cpu(network: nn.Module) -> nn.Module:
    """The network where converters want it."""
    if next(network.parameters()).device.type == "cpu":
        return network
    return copy.deepcopy(network).cpu()


def _keep(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write what is known; a run that may not be written to is compared anew each time."""
    try:
        write_json(path, rows)
    except OSError:
        return


def _keep_folder(made: Path, place: Path) -> None:
    """Put a converted network in its place, whole or not at all, if that may be written to."""
    partial = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, partial)
        partial.rename(place)
    except OSError:
        return
    finally:
        shutil.rmtree(partial, ignore_errors=True)
