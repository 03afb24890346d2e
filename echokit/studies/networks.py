"""The networks of a run, each with the engine that runs it in a study."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.components.networks import load_model
from echokit.engines.choose import ChosenEngine, EngineRequest, choose
from echokit.plugins.registry import registry
from echokit.recipe import Recipe
from echokit.studies.model import Opener

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32


def opener(
    recipe: Recipe, weights: Mapping[str, Path], classes: int, kept: Path, asked: EngineRequest
) -> Opener:
    """What opens a run's networks for a study.

    Args:
        recipe: of the networks' approach.
        weights: view -> the network's weights.
        classes: how many.
        kept: folder in which converted networks are kept.
        asked: the engine and its precision.
    """

    def open_network(
        view: str, sample: Float32[np.ndarray, "B 1 k H W"], sequences: int
    ) -> tuple[ChosenEngine, Any]:
        network = load_model(recipe, classes, weights[view])
        identity = f"{sample.shape[1:]} {_identity(recipe, weights[view])}"
        return choose(network, identity, sample, sequences, asked, kept), network

    return open_network


def _identity(recipe: Recipe, weights: Path) -> str:
    """What a converted network depends on: the weights and the backbone they are put in."""
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    component = registry().find("backbone", recipe.backbone.use)
    return f"{digest} {component.full_name} {component.version} {recipe.backbone.options}"
