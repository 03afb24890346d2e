"""Whether an engine says what torch says, of the same sequences."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from echokit.engines.engine import Precision, Running, processor

if TYPE_CHECKING:
    from jaxtyping import Float32

TOLERANCE: dict[Precision, float] = {"exact": 1e-4, "fast": 0.02}
"""Largest difference of a probability, and of a logit relative to the largest one (or to 1)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far an engine was from torch, when it was last compared on a kind of processor."""

    engine: str
    version: str
    precision: Precision
    processor: str
    logits: float
    """Largest difference of a logit, relative to the largest logit if that is above 1."""
    probabilities: float
    """Largest difference of a probability."""
    sequences: int
    """How many were compared."""

    @property
    def holds(self) -> bool:
        """Whether the engine may be used."""
        return max(self.logits, self.probabilities) <= TOLERANCE[self.precision]

    def is_of(self, running: Running, precision: Precision) -> bool:
        """Whether it was this engine, so that it need not be compared again."""
        mine = (self.engine, self.version, self.precision, self.processor)
        return mine == (running.engine, running.version, precision, processor())

    def as_json(self) -> dict[str, Any]:
        """In plain values, to be read by `Agreement(**values)`."""
        return asdict(self)


def compare(
    running: Running,
    precision: Precision,
    sequences: Float32[np.ndarray, "B C T H W"],
    expected: Float32[np.ndarray, "B K"],
) -> Agreement:
    """Compare an engine's logits with those that torch gave for the same sequences in float32."""
    logits = running.forward(sequences)
    apart = probabilities = float(np.finfo(np.float32).max)
    if logits.shape == expected.shape and np.isfinite(logits).all():
        apart = float(np.abs(logits - expected).max() / max(1.0, np.abs(expected).max()))
        probabilities = float(np.abs(softmax(logits, axis=1) - softmax(expected, axis=1)).max())
    return Agreement(
        running.engine,
        running.version,
        precision,
        processor(),
        apart,
        probabilities,
        len(sequences),
    )
