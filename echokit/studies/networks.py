"""Open the networks of a model once, each with the engine that runs it, and keep them open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from echokit.components.parts import Parts
from echokit.engines.choose import ChosenEngine
from echokit.studies.limits import Limits
from echokit.system.digests import file_digest

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32
    from torch import nn


@dataclass(frozen=True, slots=True)
class Opened:
    """One network, ready to predict."""

    engine: ChosenEngine
    """Runs it."""
    network: nn.Module | None
    """The same network in torch, to be explained; None where there is none."""


Opener = Callable[[str, "Float32[np.ndarray, 'B 1 k H W']", int], Opened]
"""`(view, sample, sequences)` to the network of a view. Engines are compared on the sample;
`sequences` are to be predicted."""


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks of one task and approach, one for each view, and what clips need for them."""

    parts: Parts
    """The components of the approach."""
    classes: tuple[str, ...]
    """Label names, least severe first."""
    weights: Mapping[str, Path]
    """View -> the file of its network."""
    records: Mapping[str, Mapping[str, int]]
    """View -> how many `maps` of its network the run tested, and how many `passed`."""
    opener: Opener
    """Opens the network of a view."""
    limits: Limits = field(default_factory=Limits)
    """What the run fitted and measured of them."""
    without_saliency: str = ""
    """Why no saliency can be made, in a sentence; empty where it can."""
    kept: dict[Path, Opened] = field(default_factory=dict)
    """File -> its network, once it was opened."""

    def digests(self, views: Iterable[str]) -> Mapping[str, str]:
        """Return view -> SHA-256 of the file that holds the weights of its network."""
        return {view: file_digest(_weights_of(self.weights[view])) for view in dict.fromkeys(views)}

    def open(self, view: str, sample: Float32[np.ndarray, "B 1 k H W"], sequences: int) -> Opened:
        """Open the network of a view, or return it where it is open already."""
        file = self.weights[view]
        if file not in self.kept:
            self.kept[file] = self.opener(view, sample, sequences)
        return self.kept[file]


def _weights_of(file: Path) -> Path:
    """Return the file of the weights: the same one, or where OpenVINO keeps them beside it."""
    beside = file.with_suffix(".bin")
    return beside if file.suffix == ".xml" and beside.is_file() else file
