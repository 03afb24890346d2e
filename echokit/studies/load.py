"""Load a model: a finished run, or a bundle that was exported of one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from echokit.components.parts import make_parts
from echokit.components.slots import make_aggregator, subject_rule
from echokit.engines.choose import EngineRequest, choose
from echokit.engines.engine import Precision, need_torch
from echokit.errors import UsageError
from echokit.evaluation.fitted import Fitted, fit_predictions, mean_of_views
from echokit.folder import RunFolder
from echokit.interfaces import SupportsFit
from echokit.plugins.registry import registry
from echokit.recipe import TOGETHER, Recipe
from echokit.recipe.demo import demo_folders, resolve_demo
from echokit.studies.bundle import open_bundle, training_predictions
from echokit.studies.limits import Limits, detector_files, read_record, read_unlearned
from echokit.studies.manifest import is_bundle
from echokit.studies.manifest import verify as verify_bundle
from echokit.studies.model import Model
from echokit.studies.networks import Networks, Opened, Opener
from echokit.system.checked import damaged, read_json, read_rows
from echokit.system.digests import MISSING, WEIGHTS_DIGEST
from echokit.system.run_record import warn

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32


def load(
    path: str | PathLike[str],
    task: str | None = None,
    engine: str = "auto",
    precision: Precision = "exact",
    *,
    verify: str | PathLike[str] | None = None,
) -> Model:
    """Load the model of a finished run or of a bundle; its networks are opened when needed.

    Args:
        path: the run's folder, or the bundle's; `demo` for the networks that come with echokit,
            which learned from synthetic clips.
        task: one of the run's tasks; None for its first.
        engine: what runs the networks: `auto` (the fastest installed, where that is worth it),
            `torch`, `torch-compile`, `openvino` or `onnxruntime`.
        precision: `exact` computes with 32 bits, `fast` with bfloat16 where the processor has it.
        verify: PEM file of a public key; a bundle that was not signed with its private key, or was
            changed since, is refused.

    Raises:
        UsageError: there is no run or bundle at `path`, or it holds no trained network for the
            task; the task is to tell views; or there is no such engine or precision; or the
            signature is not that of the key.

    >>> model = echokit.load("runs/ph-newborn")
    >>> model.run, model.task, model.views
    ('ph-newborn', 'severity', ('PLAX', 'A4C', 'PSAX-P'))
    """
    folder, request = resolve_demo(Path(path)), EngineRequest(engine, precision)
    if verify is not None:
        verify_bundle(folder, verify)
    return (
        open_bundle(folder, task, request)
        if is_bundle(folder)
        else _open_run(folder, task, request)
    )


def _open_run(path: Path, task: str | None, request: EngineRequest) -> Model:
    need_torch("Predicting with a run, and not with a bundle exported of it,")
    folder = RunFolder.open(path)
    recipe = folder.recipe()
    task = task or next(iter(recipe.enabled_tasks))
    if task not in recipe.enabled_tasks:
        raise UsageError(f"{path} has no task {task!r}: it has {', '.join(recipe.enabled_tasks)}.")
    if task in recipe.view_tasks:
        raise UsageError(
            f"{path} tells views, of which no verdict on a patient is made. Use it to predict "
            f"with another run: echokit predict RUN STUDY --view auto --view-run {path}"
        )
    approach = recipe.enabled_approaches[0]
    networks = {view: TOGETHER if recipe.views.together else view for view in recipe.views.use}
    place = f"{task}/{approach}"
    folder.digests.require(
        *("cohort.csv", "learning.json", "crossfit.parquet"),
        *(f"novelty/{place}/*", f"models/{place}/*/split-00.json"),
    )
    folder.digests.require("metrics.json", "external.json", "saliency/index.json", missing=False)
    below = folder.models / place
    weights = {
        view: file
        for view, network in networks.items()
        if (file := below / network / "split-00.safetensors").is_file()
    }
    for network in sorted(set(networks.values())):
        file = below / network / "split-00.safetensors"
        if file.with_suffix(".json").is_file() and not file.is_file():
            raise damaged(file, MISSING)
    if not weights:
        raise UsageError(
            f"{path} holds no trained network. Finish it with `echokit run --resume {path}`."
        )
    description = read_json(next(iter(weights.values())).with_suffix(".json"), "classes")
    classes = tuple(description["classes"])
    folder.digests.require(*_without_digest(folder, weights.values()))
    if not folder.digests.files and path not in demo_folders().values():
        warn(f"{path} was made before digests were kept: changed weights cannot be noticed.")
    parts = make_parts(recipe, approach)
    limits = Limits(
        fitted=cache(lambda: fitted_of_run(folder, parts.recipe, task, approach, classes)),
        detectors=detector_files(folder.novelty / task / approach, weights),
        record=read_record(path, task, approach, recipe.used_view_sets),
        unlearned=_by_view(read_unlearned(path, task, approach), networks),
    )
    return Model(
        folder=path,
        run=path.resolve().name,
        task=task,
        networks=Networks(
            parts=parts,
            classes=classes,
            weights=weights,
            records=_records(folder.path / "saliency" / "index.json", task, approach),
            opener=run_opener(
                parts.recipe, weights, len(classes), _kept(path), request, limits.detectors
            ),
            limits=limits,
        ),
        rule=subject_rule(
            recipe.aggregate.subject,
            classes,
            lambda: training_predictions(folder.crossfit, task, approach),
        ),
        synthetic=bool(folder.state["synthetic"]),
    )


def _without_digest(folder: RunFolder, weights: Iterable[Path]) -> list[str]:
    """Return weights whose descriptions hold no digest, so that the run's own is asked."""
    return [
        file.relative_to(folder.path).as_posix()
        for file in weights
        if WEIGHTS_DIGEST not in read_json(file.with_suffix(".json"), "classes")
    ]


def _by_view(of_network: Mapping[str, str], networks: Mapping[str, str]) -> dict[str, str]:
    """Return view -> what is said of its network; one network may serve all views."""
    return {view: of_network[name] for view, name in networks.items() if name in of_network}


def fitted_of_run(
    run: RunFolder, recipe: Recipe, task: str, approach: str, classes: tuple[str, ...]
) -> Fitted:
    """Fit what calibrates predictions on the run's cross-fitted ones; on none, nothing."""
    rule = make_aggregator(recipe.aggregate.subject)
    vote = mean_of_views if isinstance(rule, SupportsFit) else rule
    return fit_predictions(training_predictions(run.crossfit, task, approach), classes, vote)


def _records(index: Path, task: str, approach: str) -> dict[str, dict[str, int]]:
    """Count the maps of each view's network that the run tested, and those that passed."""
    records: dict[str, dict[str, int]] = {}
    keys = ("task", "approach", "view", "scores")
    for one in read_rows(index, keys, "maps") if index.is_file() else ():
        verdict = one["scores"].get("verdict")
        if (one["task"], one["approach"]) == (task, approach) and verdict:
            record = records.setdefault(one["view"], {"maps": 0, "passed": 0})
            record["maps"] += 1
            record["passed"] += bool(verdict["passed"])
    return records


def _kept(run: Path) -> Path | None:
    """Return the folder of converted networks; None if the run is installed and not one's own."""
    return run / "engines" if os.access(run, os.W_OK) else None


def run_opener(
    recipe: Recipe,
    weights: Mapping[str, Path],
    classes: int,
    kept: Path | None,
    request: EngineRequest,
    featured: Collection[str] = (),
) -> Opener:
    """Return what opens networks from their weights.

    Args:
        recipe: names the backbone.
        weights: view -> the file of its network.
        classes: number of labels.
        kept: folder that keeps converted networks; None keeps none.
        request: the engine and its precision.
        featured: views whose networks give features, if they can.
    """

    def open_network(view: str, sample: Float32[np.ndarray, "B 1 k H W"], sequences: int) -> Opened:
        from echokit.components.networks import load_featured, load_model  # torch

        network = load_model(recipe, classes, weights[view])
        run, suffix = network, ""
        if view in featured and (changed := load_featured(network, sample)) is not None:
            run, suffix = changed, " with features"
        identity = f"{sample.shape[1:]} {_identity(recipe, weights[view])}{suffix}"
        return Opened(choose(run, identity, sample, sequences, request, kept), network)

    return open_network


def _identity(recipe: Recipe, weights: Path) -> str:
    """Return what a converted network depends on: the weights, and the backbone around them."""
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    component = registry().find("backbone", recipe.backbone.use)
    return f"{digest} {component.full_name} {component.version} {recipe.backbone.options}"
