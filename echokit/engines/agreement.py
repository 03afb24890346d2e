"""Measure how closely an engine agrees with torch on the same sequences."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float32
from scipy.special import softmax

from echokit.engines.engine import Precision, Running, processor

TOLERANCE: dict[Precision, float] = {"exact": 1e-4, "fast": 0.02}
"""Largest difference of a probability, and of a logit relative to the largest one (or to 1)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The largest differences between an engine and torch, on one kind of processor."""

    engine: str
    version: str
    """Version of the engine's library."""
    precision: Precision
    processor: str
    """Model name of the processor on which the two were compared."""
    logits: float
    """Largest difference of a logit, relative to the largest logit if that is above 1."""
    probabilities: float
    """Largest difference of a probability."""
    sequences: int
    """Number of sequences on which they were compared."""

    @property
    def holds(self) -> bool:
        """True if both differences are within `TOLERANCE`, so that the engine may be used."""
        return max(self.logits, self.probabilities) <= TOLERANCE[self.precision]

    def is_of(self, running: Running, precision: Precision) -> bool:
        """True if this was measured with the same engine, version, precision and processor."""
        measured = (self.engine, self.version, self.precision, self.processor)
        return measured == (running.engine, running.version, precision, processor())

    def as_json(self) -> dict[str, object]:
        """Convert to plain values, from which `Agreement(**values)` reads them back."""
        return asdict(self)


def compare(
    running: Running,
    precision: Precision,
    sequences: Float32[np.ndarray, "B C T H W"],
    expected: Float32[np.ndarray, "B K"],
) -> Agreement:
    """Compare an engine's logits with those that torch gave for the same sequences in float32."""
    logits = running.forward(sequences)
    # JSON has no infinity: the largest float32 stands for "no comparison was possible"
    difference = probabilities = float(np.finfo(np.float32).max)
    if logits.shape == expected.shape and np.isfinite(logits).all():
        # relative to the largest logit, because the rounding error of a sum grows with it
        difference = float(np.abs(logits - expected).max() / max(1.0, np.abs(expected).max()))
        probabilities = float(np.abs(softmax(logits, axis=1) - softmax(expected, axis=1)).max())
    return Agreement(
        running.engine,
        running.version,
        precision,
        processor(),
        difference,
        probabilities,
        len(sequences),
    )
