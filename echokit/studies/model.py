"""An opened run or bundle, ready to predict studies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.clips.store import Store
from echokit.engines.choose import ChosenEngine
from echokit.interfaces import Aggregator, Loader
from echokit.recipe import Recipe
from echokit.system.cost import Profile
from echokit.voting.view_classifier import ViewClassifier

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

    from echokit.voting.table import PredictionTable


Opener = Callable[[str, "Float32[np.ndarray, 'B 1 k H W']", int], tuple[ChosenEngine, Any]]
"""`(view, sample, sequences)` to the engine that judges the view's clips, and the network as torch
has it, to be explained; None where there is no such network. Engines are compared on the sample;
`sequences` are to be judged."""


@dataclass(frozen=True, slots=True)
class Predictor:
    """The networks of one task and approach of a run, one for each view, and their recipe."""

    run: str
    """Name of the run."""
    recipe: Recipe
    task: str
    classes: tuple[str, ...]
    """Label names, least severe first."""
    weights: Mapping[str, Path]
    """View -> the weights that judge it: the run's first split."""
    rule: Aggregator
    """The voting rule of views, fitted on that split's training patients if it learns."""
    synthetic: bool
    """True if the networks learned from a synthetic cohort."""
    records: Mapping[str, Mapping[str, int]]
    """View -> how many `maps` of its network the run tested, and how many `passed`."""
    open: Opener
    """Opens the network of a view."""
    without_saliency: str = ""
    """Why no saliency can be made, in a sentence; empty where it can."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Where one study is worked on."""

    predictor: Predictor
    loader: Loader
    store: Store
    """Prepared clips, for as long as the study is worked on."""
    viewer: ViewClassifier | None = None
    """Tells the views of clips that bear none; None where they are refused."""
    test_saliency: bool = False
    """Whether each map is tested, which takes some hundred passes through the network."""
    profile: Profile = field(default_factory=Profile)
    """Where the seconds go."""


def training_predictions(path: Path, task: str, approach: str) -> PredictionTable:
    """Read predictions of the first split's training patients, by inner networks."""
    from echokit.voting.table import (
        PredictionTable,  # pandas reads Parquet only for a rule that learns
    )

    table = PredictionTable.read_if_there(path)
    return table.where(task=task, approach=approach, split=0)
