"""What an engine is, and a network as one runs it."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from echokit.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

    from echokit.interfaces import Forward

Precision = Literal["exact", "fast"]
"""`exact`: float32 throughout. `fast`: half the bits where the processor computes with them."""
PRECISIONS: tuple[Precision, ...] = ("exact", "fast")


class EngineWarning(UserWarning):
    """An engine that cannot be used here; torch, or another, does its work."""


@dataclass(frozen=True, slots=True)
class Running:
    """A network, ready to judge."""

    forward: Forward
    """Normalised sequences `(B, C, T, H, W)` float32 to logits `(B, K)` float32."""
    engine: str
    version: str
    """Of the engine's library."""
    computes_in: str
    """Numbers that the engine was asked to compute with: `float32`, `bfloat16`, `float16`."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A library that runs converted networks, without torch."""

    name: str
    distribution: str
    """What pip calls it."""
    extra: str
    """The extra of echokit that brings all that converting and running needs."""
    file: str
    """Name of the file a converted network is in, within a folder of its own."""
    convert: Callable[[Any, Float32[np.ndarray, "B C T H W"], Path], None]
    """`(network, example, file)` writes the network, for any number of sequences at once."""
    load: Callable[[Path, Precision], Running]
    """`(file, precision)` reads it."""

    @property
    def version(self) -> str | None:
        """The installed version; None where it is not installed."""
        with suppress(PackageNotFoundError):
            return version(self.distribution)
        return None

    def check(self) -> None:
        """Refuse to go on without the engine's library.

        Raises:
            UsageError: it is not installed.
        """
        if self.version is None:
            raise UsageError(
                f"The engine {self.name} is not installed: pip install "
                f"'echokit-cardiac[{self.extra}]', or take --engine torch."
            )


def need_torch(what: str) -> None:
    """Refuse to go on without torch, which engines other than its own do without.

    Raises:
        UsageError: it is not installed.
    """
    if find_spec("torch") is None:
        raise UsageError(f"{what} takes torch, which is not installed: pip install torch")


def processor() -> str:
    """What kind of processor this is: engines choose their arithmetic by it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
