"""Which engine judges: the one asked for or the best installed, once it has shown that it agrees.

A converted network is kept beside the run, with how far each engine was from torch, so that only
the first study of a run pays for converting and comparing.
"""

from __future__ import annotations

import copy
import hashlib
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.engines.agreement import Agreement, compare
from echokit.engines.engine import PRECISIONS, Engine, EngineWarning, Precision, Running
from echokit.engines.onnx_runtime import ONNX_RUNTIME
from echokit.engines.open_vino import OPENVINO
from echokit.errors import UsageError, nearest
from echokit.system.files import read_json, whole_folder, write_json

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
    kept: Path | None,
) -> Judge:
    """Choose the engine of a network that torch can run, too.

    Args:
        network: in evaluation, on its device.
        identity: a text that tells this network from any other.
        sample: two sequences or more to compare engines on; all have its size.
        sequences: how many are to be judged.
        asked: what the user wants.
        kept: folder in which converted networks are kept, with their agreement; None keeps none.
    """
    from echokit.engines.eager import run_compiled, run_eagerly

    reference = run_eagerly(network)
    device = next(network.parameters()).device
    folder = kept / hashlib.sha256(identity.encode()).hexdigest()[:12] if kept else None
    record = _Record(folder / "agreement.json" if folder else None, sample, reference)
    work = sum(p.numel() for p in network.parameters()) * sample[0].size * sequences
    tried: list[tuple[str, Callable[[], Running]]] = []
    if asked.engine != "auto" or (device.type == "cpu" and work >= WORTH):
        for engine in asked.among(ENGINES):
            load = partial(_loaded, engine, network, sample, folder, asked.precision)
            tried.append((engine.name, load))
    if asked.engine == "torch-compile":
        tried.append((asked.engine, partial(run_compiled, network, asked.precision)))
    if asked.precision == "fast":
        tried.append(("torch", partial(run_eagerly, network, "fast")))
    for name, make in tried:
        judge = _attempt(name, make, record, asked.precision)
        if judge is not None:
            return judge
    return Judge(reference, "exact", None)


@dataclass(frozen=True, slots=True)
class _Record:
    """What is known of one network's engines, in a file."""

    path: Path | None
    sample: Float32[np.ndarray, "B C T H W"]
    reference: Running

    def judged(self, running: Running, precision: Precision) -> Judge | None:
        """An engine as a judge, compared with torch unless that was done; None if they differ."""
        kept = read_json(self.path) if self.path and self.path.is_file() else []
        rows = [Agreement(**row) for row in kept]
        agreement = next((row for row in rows if row.is_of(running, precision)), None)
        if agreement is None:
            expected = self.reference.forward(self.sample)
            agreement = compare(running, precision, self.sample, expected)
            if self.path is not None:  # a run that cannot be written to is compared each time
                with suppress(OSError):
                    write_json(self.path, [row.as_json() for row in [*rows, agreement]])
        if agreement.holds:
            return Judge(running, precision, agreement)
        warnings.warn(refusal(agreement), EngineWarning, stacklevel=2)
        return None


def refusal(agreement: Agreement) -> str:
    """Why an engine is not used, in a sentence."""
    return (
        f"The engine {agreement.engine} {agreement.version} ({agreement.precision}) is not used: "
        f"its logits differ from torch's by {agreement.logits:.1e}, its probabilities by "
        f"{agreement.probabilities:.1e}."
    )


def _attempt(
    name: str, make: Callable[[], Running], record: _Record, precision: Precision
) -> Judge | None:
    """An engine as a judge; None, with a warning, if it cannot run the network or differs."""
    try:
        return record.judged(make(), precision)
    except Exception as error:  # whatever a library raises of a network that it does not know
        first = next(iter(str(error).splitlines()), "")
        warnings.warn(
            f"The engine {name} cannot run this network: {type(error).__name__}: {first}",
            EngineWarning,
            stacklevel=2,
        )
        return None


def _loaded(
    engine: Engine,
    network: nn.Module,
    sample: Float32[np.ndarray, "B C T H W"],
    folder: Path | None,
    precision: Precision,
) -> Running:
    """Load a network that was converted for an engine; convert it first unless that was done."""
    place = folder / f"{engine.name}-{engine.version}" if folder else None
    if place is not None and (place / engine.file).is_file():
        return engine.load(place / engine.file, precision)
    with tempfile.TemporaryDirectory(prefix="echokit-") as scratch:
        made = Path(scratch)
        engine.convert(on_cpu(network), sample, made / engine.file)
        if place is not None and _keep_folder(made, place):
            made = place  # not from here: the weights stay mapped to the file
        return engine.load(made / engine.file, precision)


def on_cpu(network: nn.Module) -> nn.Module:
    """The network where converters want it."""
    if next(network.parameters()).device.type == "cpu":
        return network
    return copy.deepcopy(network).cpu()


def _keep_folder(made: Path, place: Path) -> bool:
    """Put a converted network in its place, whole or not at all; whether it is there now."""
    with suppress(OSError), whole_folder(place) as partial:
        # refused without the right to write there, or where another process was first
        shutil.copytree(made, partial, dirs_exist_ok=True)
    return place.is_dir()
