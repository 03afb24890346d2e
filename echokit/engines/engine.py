"""Define engines, and the networks that they run."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32

from echokit.errors import UsageError
from echokit.interfaces import Forward

Precision = Literal["exact", "fast"]
"""`exact` computes in float32; `fast` in 16 bits if the processor has such arithmetic."""
PRECISIONS: tuple[Precision, ...] = ("exact", "fast")
Both = Callable[
    [Float32[np.ndarray, "B C T H W"]],
    tuple[Float32[np.ndarray, "B K"], Float32[np.ndarray, "B F"] | None],
]
"""A trained network as an engine runs it: normalised sequences to logits, and to the features that
they were made of, None where the network does not give them."""


class EngineWarning(UserWarning):
    """An engine cannot be used on this machine, so that another one or torch runs the network."""


@dataclass(frozen=True, slots=True)
class Running:
    """A network that an engine has loaded and can run."""

    forward: Forward
    """Maps normalised sequences `(B, C, T, H, W)` float32 to logits `(B, K)` float32."""
    engine: str
    version: str
    """Version of the engine's library."""
    computes_in: str
    """Number format that was requested: `float32`, `bfloat16` or `float16`."""
    both: Both | None = None
    """Maps sequences to logits and features; None where only logits were converted."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A library that runs converted networks without torch."""

    name: str
    distribution: str
    """Name of the library on the package index."""
    extra: str
    """Extra of `echokit-cardiac` that installs what converting and running need."""
    file: str
    """Name of the file of a converted network, inside a folder for that network alone."""
    convert: Callable[[Any, Float32[np.ndarray, "B C T H W"], Path], None]
    """`(network, example, file)` converts a network and writes it, for any batch size."""
    load: Callable[[Path, Precision], Running]
    """`(file, precision)` loads a converted network."""

    @property
    def version(self) -> str | None:
        """Version of the installed library; None if it is not installed."""
        with suppress(PackageNotFoundError):
            return version(self.distribution)
        return None

    def check(self) -> None:
        """Check that the engine's library is installed.

        Raises:
            UsageError: it is not installed.
        """
        if self.version is None:
            raise UsageError(
                f"The engine {self.name} is not installed: pip install "
                f"'echokit-cardiac[{self.extra}]', or take --engine torch."
            )


def need_torch(purpose: str) -> None:
    """Check that torch is installed, which engines other than its own do not need.

    Raises:
        UsageError: it is not installed.
    """
    if find_spec("torch") is None:
        raise UsageError(f"{purpose} takes torch, which is not installed: pip install torch")


def processor() -> str:
    """Return the model name of the processor, by which engines choose their arithmetic."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
