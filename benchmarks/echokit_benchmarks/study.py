"""Prediction of a study of five views: all sequences by the chosen engine, and files to page."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from scipy.special import softmax
from torch import nn

from echokit import VIEWS, resolve
from echokit.bench.timing import Claim, in_turns, timing_row
from echokit.clips.store import Store
from echokit.components.loading import make_loader
from echokit.components.networks import make_model
from echokit.components.parts import make_parts
from echokit.components.slots import make_aggregator
from echokit.engines.agreement import TOLERANCE
from echokit.engines.choose import ChosenEngine, EngineRequest
from echokit.engines.engine import PRECISIONS, Precision
from echokit.networks.checkpoint import save_tensors
from echokit.recipe import Recipe, load_recipe
from echokit.studies.clips import Desk, prepare_clips
from echokit.studies.load import run_opener
from echokit.studies.model import Model
from echokit.studies.networks import Networks
from echokit.system.progress import Silent
from echokit.voting.votes import voting_sequences

AT_LEAST: Mapping[Precision, float] = {"exact": 2.5, "fast": 4.0}
"""Goal of the speed-up over a loop, by precision."""
AT_MOST_SECONDS = 20.0
"""Goal of a study from its files to its page, without saliency."""
CLASSES = ("none", "mild", "moderate-severe")
Sequences = Float32[np.ndarray, "n 1 k H W"]


def measure(quick: bool) -> list[dict[str, Any]]:
    """Time all sequences of a study (two rows) and the whole prediction (two rows)."""
    side, width, n, screen, frames = (48, 8, 2, 96, 24) if quick else (224, 64, 10, 692, 122)
    settings = [f"prepare.resize.size={side}", f"backbone.width={width}", f"sequences.n={n}"]
    recipe = load_recipe("ph-newborn", preset="paper", settings=settings)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        study = folder / "study"
        cohort: Any = resolve(
            "loader",
            "phantom",
            patients=1,
            clips=len(VIEWS),
            size=screen,
            frames=frames,
            frames_sd=0,
        )
        cohort.write(study, "dicom")
        by_view = _sequences(recipe, study, folder)
        networks = {view: _network(recipe, sequences) for view, sequences in by_view.items()}
        models = {
            precision: _model(recipe, networks, folder, precision) for precision in PRECISIONS
        }
        rows = _sequence_rows(networks, models, by_view, quick)
        open_model = partial(_model, recipe, networks, folder, "fast")
        return [*rows, *_study_rows(open_model, study, folder, quick)]


def _sequences(recipe: Recipe, study: Path, folder: Path) -> dict[str, Sequences]:
    """Read every voting sequence of the study, by view."""
    networks = _model(recipe, dict.fromkeys(VIEWS), folder, "exact").networks
    loader, store = make_loader(recipe.study, source=str(study)), Store(folder / "store")
    prepared = prepare_clips(Desk(networks, loader, store, Silent(), "file"))
    assert len(prepared.ready) == len(VIEWS), prepared.rejected
    return {
        str(ref.view): np.stack(list(voting_sequences([item], store, networks.parts.voting)))
        for ref, item in prepared.ready.values()
    }


def _network(recipe: Recipe, sequences: Sequences) -> nn.Module:
    """Make a random network whose normalised layers have mean 0 and variance 1, as trained ones."""
    with torch.random.fork_rng():
        torch.manual_seed(len(sequences))
        network = make_model(recipe, len(CLASSES))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm3d):
            layer.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.from_numpy(sequences[:2]))
    return network.eval()


def _model(
    recipe: Recipe, networks: Mapping[str, Any], folder: Path, precision: Precision
) -> Model:
    weights = {view: folder / "models" / f"{view}.safetensors" for view in networks}
    for view, network in networks.items():
        if network is not None:
            save_tensors(weights[view], network.state_dict())
    request = EngineRequest("auto", precision)
    return Model(
        folder=folder,
        run="speed",
        task="severity",
        networks=Networks(
            parts=make_parts(recipe, "spatio-temporal"),
            classes=CLASSES,
            weights=weights,
            records={},
            opener=run_opener(recipe, weights, len(CLASSES), folder / "engines", request),
        ),
        rule=make_aggregator(recipe.aggregate.subject),
        synthetic=True,
    )


def _sequence_rows(
    networks: Mapping[str, nn.Module],
    models: Mapping[Precision, Model],
    by_view: Mapping[str, Sequences],
    quick: bool,
) -> list[dict[str, Any]]:
    """Time all sequences of the study by the engine of each precision, against a loop."""
    engines, opening = dict[Precision, dict[str, ChosenEngine]](), dict[Precision, float]()
    for precision, model in models.items():
        started = time.perf_counter()
        engines[precision] = {
            view: model.networks.open(view, sequences[:2], len(sequences)).engine
            for view, sequences in by_view.items()
        }
        opening[precision] = time.perf_counter() - started

    logits: dict[str, Any] = {}

    def by_engine(precision: Precision) -> None:
        chosen = engines[precision]
        logits[precision] = [
            chosen[view].running.forward(sequences) for view, sequences in by_view.items()
        ]

    def by_loop() -> None:
        with torch.inference_mode():
            logits["loop"] = [
                [networks[view](torch.from_numpy(s)[None])[0].numpy() for s in sequences]
                for view, sequences in by_view.items()
            ]

    works: list[Callable[[], object]] = [by_loop]
    works += [partial(by_engine, precision) for precision in engines]
    theirs, *ours = in_turns(works, 1 if quick else 2)
    probabilities = {
        way: softmax(np.reshape(arrays, (-1, len(CLASSES))), axis=1)
        for way, arrays in logits.items()
    }
    expected, rows = probabilities["loop"], []
    for precision, times in zip(engines, ours, strict=True):
        difference = float(np.abs(probabilities[precision] - expected).max())
        same = int((probabilities[precision].argmax(1) == expected.argmax(1)).sum())
        running = next(iter(engines[precision].values())).running
        shape = "×".join(map(str, next(iter(by_view.values())).shape[2:]))
        n = len(expected) // len(by_view)
        claim = Claim(
            f"judging a study, {len(by_view)} views × {n} sequences {shape}, "
            f"{precision}: {running.engine}, {running.computes_in}",
            "eager PyTorch in float32, one sequence at a time",
            at_least=None if quick else AT_LEAST[precision],
        )
        row = timing_row(claim, times, theirs)
        if row["reached"]:
            row["reached"] = same == len(expected) and difference <= TOLERANCE[precision]
        row["note"] = (
            f"{same} of {len(expected)} labels the same, probabilities within {difference:.1e}; "
            f"converting and comparing, once for a run: {opening[precision]:.0f} s"
        )
        rows.append(row | {"max_difference": difference})
    return rows


def _study_rows(
    open_model: Callable[[], Model], study: Path, folder: Path, quick: bool
) -> list[dict[str, Any]]:
    """Time `echokit predict` from files to page, with networks that are already converted."""
    rows = []
    for extent, goal in (("without saliency", AT_MOST_SECONDS), ("with saliency", None)):
        model = open_model()  # anew, since a model keeps its networks open
        started = time.perf_counter()
        result = model.predict(study, saliency=extent == "with saliency")
        result.save(folder / extent)
        seconds = time.perf_counter() - started
        stages = ", ".join(f"{row['name']} {row['seconds']:.1f} s" for row in result.stages)
        claim = Claim(
            f"a whole study of {len(VIEWS)} DICOM files to its page, fast, {extent}",
            "",
            seconds=None if quick else goal,
        )
        rows.append(timing_row(claim, [seconds]) | {"note": stages})
    return rows
