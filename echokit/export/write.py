"""Exporting a run: its networks in a format that other engines read, and all they need."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import echokit
from echokit.components.networks import load_featured, load_model
from echokit.components.slots import make_sequence_spec
from echokit.engines.agreement import compare
from echokit.engines.choose import on_cpu
from echokit.engines.engine import PRECISIONS
from echokit.engines.onnx_runtime import save_onnx
from echokit.engines.open_vino import OPENVINO, save_openvino
from echokit.errors import UsageError, nearest
from echokit.export.card import model_card
from echokit.folder import RunFolder
from echokit.interfaces import SupportsFit
from echokit.recipe import Recipe, Slot
from echokit.studies.bundle import CALIBRATION, CROSSFIT, NOVELTY, READERS
from echokit.studies.load import load
from echokit.studies.manifest import SUFFIX, probe, seal
from echokit.studies.manifest import sign as sign_bundle
from echokit.studies.model import Model
from echokit.system.checked import read_json
from echokit.system.files import unfinished_folder, write_json, write_text
from echokit.system.leftovers import sweep
from echokit.system.progress import Listener, Progress, watched
from echokit.system.signatures import read_private_key
from echokit.voting.table import PredictionTable

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

FORMATS = (*READERS, "torch-export")
FILES = {"onnx": "model.onnx", "openvino": "model.xml", "torch-export": "model.safetensors"}
"""The file of a network that echokit reads."""


def export_run(
    run: str | PathLike[str],
    to: str = "onnx",
    out: str | PathLike[str] = "bundles",
    task: str | None = None,
    *,
    sign: str | PathLike[str] | None = None,
    progress: Progress | Listener | None = None,
) -> Path:
    """Write a run's networks, and all that predicting a study with them takes, as a bundle.

    Args:
        run: the folder of a finished run.
        to: `onnx`, `openvino` or `torch-export`.
        out: folder that the bundle is put in.
        task: one of the run's tasks; None for its first.
        sign: PEM file of a private Ed25519 key, as `make_signing_key` writes it: the bundle is
            signed with it.
        progress: a function `(title, done, total)`, or a `Progress`.

    Returns:
        The bundle, a folder whose name ends with its digest. One that is there already, with the
        same content, is left as it is, but for its signature.

    Raises:
        UsageError: the format is unknown or its engine not installed; the run is not finished, or
            tells views; a converted network says something else than torch does; or the key cannot
            be used.
    """
    if to not in FORMATS:
        raise UsageError(f"There is no format {to!r}: {nearest(to, FORMATS)}")
    _check_installed(to)
    if sign is not None:
        read_private_key(sign)  # refused before the work, not after it
    model = load(run, task)
    folder = RunFolder.open(model.folder)
    sweep(Path(out))
    with unfinished_folder(Path(out) / f"{model.recipe.name}{SUFFIX}") as partial:
        networks = dict.fromkeys(model.networks.weights.values())
        with watched(progress).bar(f"Exporting to {to}", len(networks), "networks") as tick:
            described = {}
            for weights in networks:
                described[weights] = _write_network(model, weights, to, partial)
                tick(1)
        recipe = _portable(model.recipe)
        write_text(partial / "recipe.toml", recipe.to_toml())
        (approach,) = recipe.approaches
        _write_ballots(model, folder, approach, partial)
        _write_limits(model, partial)
        facts = {
            "echokit": echokit.__version__,
            "format": to,
            "run": model.run,
            "recipe": recipe.name,
            "task": model.task,
            "approach": approach,
            "classes": list(model.classes),
            "synthetic": model.synthetic,
            "views": {view: described[path] for view, path in model.networks.weights.items()},
            "view_sets": {name: list(views) for name, views in recipe.used_view_sets.items()},
            "records": model.networks.records,
            "temperatures": _temperatures(folder, model.task, approach),
            "record": [dict(row) for row in model.networks.limits.record],
            "unlearned": dict(model.networks.limits.unlearned),
        }
        write_text(partial / "MODEL_CARD.md", model_card(facts, folder, recipe))
        place = Path(out) / f"{recipe.name}-{model.task}-{seal(partial, facts)}{SUFFIX}"
        bundle = place if place.exists() else partial
        if sign is not None:
            sign_bundle(bundle, sign)
        if bundle is partial:
            partial.rename(place)
    return place


def _check_installed(to: str) -> None:
    if to == "openvino":
        OPENVINO.check()
    if to == "onnx":
        from importlib.util import find_spec

        if find_spec("onnx") is None or find_spec("onnxscript") is None:
            raise UsageError(
                "Writing ONNX takes onnx and onnxscript: pip install 'echokit-cardiac[onnx]'"
            )


def _write_network(model: Model, weights: Path, to: str, bundle: Path) -> dict[str, Any]:
    """Write one network and compare every engine that reads it with torch.

    Returns:
        Its part of `bundle.json`.

    Raises:
        UsageError: none of the engines that read it agrees with torch.
    """
    from echokit.engines.eager import run_eagerly

    recipe, classes = model.recipe, len(model.classes)
    network = on_cpu(load_model(recipe, classes, weights))
    shape = tuple(read_json(weights.with_suffix(".json"))["input_shape"])
    sequences = probe(shape, make_sequence_spec(recipe, training=False))
    expected = run_eagerly(network).forward(sequences)
    file = bundle / "models" / weights.parent.name / FILES[to]
    file.parent.mkdir(parents=True)
    agreement = []
    if to == "torch-export":
        _save_torch(network, sequences, weights, file)
    else:
        views = {view for view, path in model.networks.weights.items() if path == weights}
        changed = None
        if views & set(model.networks.limits.detectors):
            changed = load_featured(network, sequences)
        (save_onnx if to == "onnx" else save_openvino)(changed or network, sequences, file)
        for engine in READERS[to]:
            if engine.version is None:
                continue
            for precision in PRECISIONS:
                running = engine.load(file, precision)
                agreement.append(compare(running, precision, sequences, expected))
        exact = [one for one in agreement if one.precision == "exact"]
        if exact and not any(one.holds for one in exact):
            raise UsageError(
                f"The network {weights.parent.name} cannot be exported to {to}: its logits differ "
                f"from torch's by {min(one.logits for one in exact):.1e}. Try another format."
            )
    return {
        "file": file.relative_to(bundle).as_posix(),
        "shape": list(shape),
        "logits": expected.tolist(),
        "agreement": [one.as_json() for one in agreement],
    }


def _save_torch(
    network: Any, example: Float32[np.ndarray, "2 1 k H W"], weights: Path, file: Path
) -> None:
    """Write torch's own format for other programs, and the weights for echokit.

    echokit does not read the former: `torch.export.load` unpickles.
    """
    import torch

    batch = ({0: torch.export.Dim("batch")},)
    network = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    program = torch.export.export(network, (torch.from_numpy(example),), dynamic_shapes=batch)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # where in whose files each was made
    torch.export.save(program, file.with_suffix(".pt2"))
    shutil.copyfile(weights, file)


def _portable(recipe: Recipe) -> Recipe:
    """The recipe without paths of this machine."""
    views = recipe.views.model_copy(update={"classifier": ""})
    data, backbone = _without(recipe.data, "source"), _without(recipe.backbone, "weights")
    changes = {"views": views, "data": data, "backbone": backbone, "test": None}
    return recipe.model_copy(update=changes)


def _without(slot: Slot, option: str) -> Slot:
    return Slot(use=slot.use, **{k: v for k, v in slot.options.items() if k != option})


def _write_ballots(model: Model, run: RunFolder, approach: str, bundle: Path) -> None:
    """What a voting rule that learns is fitted on: training patients as numbers, nothing else."""
    if not isinstance(model.rule, SupportsFit):
        return
    import pandas as pd

    rows = PredictionTable.read(run.path / CROSSFIT).frame
    own = (rows["level"] == "view") & (rows["task"] == model.task)
    own &= (rows["approach"] == approach) & (rows["split"] == 0)
    kept = rows[own].drop(columns=["clip", "start"])
    numbers = pd.factorize(kept["patient"], sort=True)[0].astype(str)
    kept["patient"] = [number.zfill(8) for number in numbers]  # in the order of their names
    kept.to_parquet(bundle / CROSSFIT, index=False)


def _write_limits(model: Model, bundle: Path) -> None:
    """Write what calibrates predictions and notices unusual clips; numbers, and no names."""
    limits = model.networks.limits
    if (fitted := limits.fitted()).temperatures:
        write_json(bundle / CALIBRATION, fitted.as_json())
    for path in limits.detectors.values():
        (bundle / NOVELTY).mkdir(exist_ok=True)
        shutil.copyfile(path, bundle / NOVELTY / path.name)


def _temperatures(run: RunFolder, task: str, approach: str) -> Mapping[str, float]:
    """View -> the temperature that was fitted for its network, mean over splits."""
    path = run.path / "calibration.json"
    found = {}
    for row in read_json(path)["rows"] if path.is_file() else ():
        temperature = (row.get("tempered") or {}).get("temperature")
        if temperature and (row["task"], row["approach"]) == (task, approach):
            found[row["views"]] = temperature["mean"]
    return found
