"""Opening a bundle to predict with: without torch, if its engine needs none."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.components.parts import make_parts
from echokit.components.slots import make_sequence_spec, subject_rule
from echokit.engines.agreement import Agreement, compare
from echokit.engines.choose import ChosenEngine, EngineRequest, choose, refusal
from echokit.engines.engine import Engine, EngineWarning, Running, need_torch
from echokit.engines.onnx_runtime import ONNX_RUNTIME
from echokit.engines.open_vino import OPENVINO
from echokit.errors import UsageError
from echokit.evaluation.fitted import Fitted
from echokit.recipe import Recipe, load_recipe
from echokit.studies.limits import NOT_FITTED, OLD_BUNDLE, Limits, detector_files
from echokit.studies.manifest import NAME, probe, unseal
from echokit.studies.model import Model
from echokit.studies.networks import Networks, Opened, Opener
from echokit.system.checked import damaged, read_json

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

    from echokit.voting.table import PredictionTable

READERS: Mapping[str, tuple[Engine, ...]] = {
    "onnx": (OPENVINO, ONNX_RUNTIME),
    "openvino": (OPENVINO,),
}
"""Which engines read which format, the fastest first. The third format is torch's own."""
TORCH = "torch-export"
CALIBRATION = "calibration.json"
"""In a bundle: temperatures, and scores for label sets."""
NOVELTY = "novelty"
"""In a bundle: the folder of what notices clips unlike the training clips, a file for each view."""
CROSSFIT = "crossfit.parquet"
"""In a bundle whose voting rule learns: what it is fitted on, without names."""


def open_bundle(folder: Path, asked_task: str | None, request: EngineRequest) -> Model:
    """Open a bundle, once no file of it was changed.

    Args:
        folder: the bundle.
        asked_task: the bundle's own, or None.
        request: the engine and its precision.

    Raises:
        UsageError: a file was changed; the bundle is for another task; or no engine that reads it
            is installed.
    """
    manifest = unseal(folder)
    task, approach = manifest["task"], manifest["approach"]
    if asked_task not in (None, task):
        raise UsageError(f"{folder} is for the task {task!r} alone, not {asked_task!r}.")
    recipe = load_recipe(str(folder / "recipe.toml"))
    classes = tuple(manifest["classes"])
    if manifest["format"] not in (*READERS, TORCH):
        raise damaged(folder / NAME, f"its 'format' is {manifest['format']!r}")
    if task not in recipe.tasks or approach not in recipe.approaches:
        raise damaged(folder / NAME, f"its recipe has no task {task!r}, or not by {approach!r}")
    weights = {view: folder / facts["file"] for view, facts in manifest["views"].items()}
    limits = _limits(folder, manifest, weights)
    without = ""
    if manifest["format"] == TORCH:
        need_torch(f"{folder}, a bundle in the format torch-export,")
        opener = _torch_opener(recipe, weights, len(classes), request, limits.detectors)
    else:
        engines = _engines(manifest["format"], request, folder)
        opener = partial(_open, recipe, weights, manifest["views"], engines, request)
        without = "No saliency: a bundle for other engines holds no network that can be explained."
        recipe = recipe.model_copy(update={"explain": None})  # an explainer may import torch
    return Model(
        folder=folder,
        run=manifest["run"],
        task=task,
        networks=Networks(
            parts=make_parts(recipe, approach),
            classes=classes,
            weights=weights,
            records=manifest["records"],
            opener=opener,
            limits=limits,
            without_saliency=without,
        ),
        rule=subject_rule(
            recipe.aggregate.subject,
            classes,
            lambda: training_predictions(folder / CROSSFIT, task, approach),
        ),
        synthetic=manifest["synthetic"],
    )


def _limits(folder: Path, manifest: Mapping[str, Any], views: Iterable[str]) -> Limits:
    """Read what the run fitted and measured; bundles of earlier versions hold none of it."""
    path = folder / CALIBRATION

    def fitted() -> Fitted:
        return Fitted.from_json(read_json(path)) if path.is_file() else Fitted()

    return Limits(
        fitted=cache(fitted),
        nothing_fitted=NOT_FITTED if path.is_file() else OLD_BUNDLE,
        detectors=detector_files(folder / NOVELTY, views),
        record=tuple(manifest.get("record", ())),
        unlearned=manifest.get("unlearned", {}),
    )


def training_predictions(path: Path, task: str, approach: str) -> PredictionTable:
    """Read predictions of the first split's training patients, by inner networks."""
    from echokit.voting.table import PredictionTable  # pandas, for a rule that learns alone

    table = PredictionTable.read_if_there(path)
    return table.where(task=task, approach=approach, split=0)


def _engines(format: str, request: EngineRequest, folder: Path) -> list[Engine]:
    """The installed engines that read a format.

    Raises:
        UsageError: the one asked for does not, or none is installed.
    """
    readers = READERS[format]
    names = " or ".join(engine.name for engine in readers)
    if request.engine not in ("auto", *(engine.name for engine in readers)):
        raise UsageError(f"{folder} is in the format {format}: take --engine {names}.")
    found = request.candidates(readers)
    if not found:
        extra = " or ".join(f"'echokit-cardiac[{engine.extra}]'" for engine in readers)
        raise UsageError(f"{folder} needs the engine {names}: pip install {extra}")
    return found


def _open(
    recipe: Recipe,
    files: Mapping[str, Path],
    facts: Mapping[str, Any],
    engines: list[Engine],
    request: EngineRequest,
    view: str,
    sample: Float32[np.ndarray, "B 1 k H W"],
    sequences: int,
) -> Opened:
    """Open the network of a view with the first engine that says what torch said at export."""
    del sequences
    shape = tuple(facts[view]["shape"])
    if sample.shape[1:] != shape:
        raise UsageError(f"Clips are prepared to {sample.shape[1:]}, the network wants {shape}.")
    for engine in engines:
        running = _load(engine, files[view], request, len(facts[view]["logits"][0]))
        agreement = _agreement(running, request, recipe, facts[view])
        if agreement.holds:
            return Opened(ChosenEngine(running, request.precision, agreement), None)
        warnings.warn(refusal(agreement), EngineWarning, stacklevel=2)
    raise UsageError(
        f"No engine agrees with what torch said of {view} when the bundle was exported"
        f"{': try --precision exact' if request.precision == 'fast' else ''}."
    )


def _load(engine: Engine, file: Path, request: EngineRequest, labels: int) -> Running:
    """Load a network whose logits are counted whenever it runs.

    Raises:
        DamagedError: the engine cannot read the file, or the network has other logits.
    """
    try:
        running = engine.load(file, request.precision)
    except Exception as error:  # a file that is no network makes engines raise errors of any class
        raise damaged(file, f"{engine.name} cannot read it: {error}") from error

    def counted(logits: Float32[np.ndarray, "B K"]) -> Float32[np.ndarray, "B K"]:
        if logits.ndim != 2 or logits.shape[1] != labels:
            raise damaged(file, f"it gives {logits.shape[-1]} logits for {labels} labels")
        return logits

    both = running.both
    return replace(
        running,
        forward=lambda sequences: counted(running.forward(sequences)),
        both=both and (lambda sequences: _with_features(both(sequences), counted)),
    )


def _with_features(found: Any, counted: Callable[[Any], Any]) -> Any:
    logits, features = found
    return counted(logits), features


def _agreement(
    running: Running, request: EngineRequest, recipe: Recipe, facts: Mapping[str, Any]
) -> Agreement:
    """How far an engine is from torch: as measured at export by its like, or measured now."""
    import numpy as np

    for row in facts["agreement"]:
        if (agreement := Agreement(**row)).is_of(running, request.precision):
            return agreement
    sequences = probe(tuple(facts["shape"]), make_sequence_spec(recipe, training=False))
    expected = np.array(facts["logits"], np.float32)
    return compare(running, request.precision, sequences, expected)


def _torch_opener(
    recipe: Recipe,
    weights: Mapping[str, Path],
    classes: int,
    request: EngineRequest,
    featured: Collection[str],
) -> Opener:
    """Return what opens torch's networks: from weights, since torch's own format is unpickled."""

    def open_network(view: str, sample: Float32[np.ndarray, "B 1 k H W"], sequences: int) -> Opened:
        from echokit.components.networks import load_featured, load_model  # torch

        network = load_model(recipe, classes, weights[view])
        changed = load_featured(network, sample) if view in featured else None
        return Opened(choose(changed or network, view, sample, sequences, request, None), network)

    return open_network
