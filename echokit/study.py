"""One study of one's own, predicted by a trained run: votes, confidences, saliency, a page."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import echokit
from echokit.errors import CohortError, UsageError
from echokit.files import read_json, write_json
from echokit.folder import RunFolder
from echokit.interfaces import Loader
from echokit.progress import Progress, Silent
from echokit.recipe import Recipe
from echokit.stages import cohort as cohorts
from echokit.stages.store import Preparation, Store
from echokit.types import USUAL_FPS, Box, Clip, ClipRef, Rejection
from echokit.wiring.components import (
    make_aggregator,
    make_explainer,
    make_loader,
    make_model,
    make_preparation,
    make_sequence_spec,
)


@dataclass(frozen=True, slots=True)
class Predictor:
    """The networks of one task and approach of a run, one for each view, and their recipe."""

    run: str
    """Name of the run."""
    recipe: Recipe
    task: str
    classes: tuple[str, ...]
    weights: Mapping[str, Path]
    """View -> the weights that judge it: the run's first split."""
    synthetic: bool
    """True if the networks learned from a synthetic cohort."""


def open_predictor(folder: Path, task: str | None = None) -> Predictor:
    """Open a finished run to predict with.

    Args:
        folder: the run's folder.
        task: one of the run's tasks; None for its first.

    Raises:
        UsageError: the folder is not a run, or holds no trained network for the task.
    """
    opened = RunFolder.open(folder)
    recipe = opened.recipe()
    task = task or next(iter(recipe.enabled_tasks))
    if task not in recipe.enabled_tasks:
        raise UsageError(
            f"{folder} has no task {task!r}: it has {', '.join(recipe.enabled_tasks)}."
        )
    approach = recipe.enabled_approaches[0]
    weights = {
        view: path
        for view in recipe.views.use
        if (path := opened.models / task / approach / view / "split-00.safetensors").is_file()
    }
    if not weights:
        raise UsageError(
            f"{folder} holds no trained network. Finish it with `echokit run --resume {folder}`."
        )
    described = read_json(next(iter(weights.values())).with_suffix(".json"))
    return Predictor(
        run=folder.resolve().name,
        recipe=recipe.of_approach(approach),
        task=task,
        classes=tuple(described["classes"]),
        weights=weights,
        synthetic=bool(opened.state["synthetic"]),
    )


def predict_study(
    predictor: Predictor,
    source: Path,
    out: Path,
    *,
    view: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Predict a study and write `prediction.json`, `saliency/` and `index.html` into `out`.

    Args:
        predictor: the trained networks.
        source: a clip's file, or a folder of them.
        out: a folder that does not exist yet; it appears whole or not at all.
        view: the view of every clip; None reads it from the files.
        progress: who watches.

    Returns:
        What `prediction.json` holds.

    Raises:
        UsageError: `source` does not exist, or `out` does.
        CohortError: no clip of the study can be used; every one is named with its reason.
    """
    progress = progress or Silent()
    if not source.exists():
        raise UsageError(f"There is no study at {source}.")
    if out.exists():
        raise UsageError(f"{out} already exists; choose another folder with --out.")
    recipe = predictor.recipe
    if view is not None:
        view = recipe.views.alias.get(view, view)
        if view not in predictor.weights:
            raise UsageError(
                f"The run has no network for the view {view!r}: it has "
                f"{', '.join(predictor.weights)}."
            )
    loader = make_loader(recipe.study, source=str(source), **({"view": view} if view else {}))
    with tempfile.TemporaryDirectory(prefix="echokit-") as scratch:
        prepared, rejected = _prepare(loader, predictor, Store(Path(scratch)), progress)
        if not prepared:
            named = "; ".join(f"{r.where}: {r.reason}" for r in rejected) or "it holds no file"
            raise CohortError(f"No clip of {source} can be used. {named}.")
        with _whole_folder(out) as partial:
            clips = _predict_clips(
                prepared, loader, predictor, Store(Path(scratch)), partial, view, progress
            )
            document = {
                "schema": 1,
                "echokit": echokit.__version__,
                "study": source.name,
                "run": predictor.run,
                "recipe": recipe.name,
                "task": predictor.task,
                "classes": list(predictor.classes),
                "synthetic_training": predictor.synthetic,
                "subjects": _subjects(clips, predictor),
                "rejected": [
                    {"where": r.where, "reason": r.reason, "view": r.view} for r in rejected
                ],
            }
            write_json(partial / "prediction.json", document)
            from echokit.report import build_study_page

            build_study_page(partial)
    return document


def _prepare(
    loader: Loader, predictor: Predictor, store: Store, progress: Progress
) -> tuple[list[tuple[ClipRef, str]], list[Rejection]]:
    """Prepare every clip that a network can judge; name every other one with its reason."""
    from echokit.stages.store import prepare, too_short

    recipe, k = predictor.recipe, predictor.recipe.sequences.k
    clips, refused = cohorts.sort_out(loader.index(), predictor.weights, recipe.views.alias)
    ready, rejected = [], list(refused)
    with progress.bar("Preparing clips", len(clips), "clips") as tick:
        for ref, key in prepare(loader, clips, make_preparation(recipe), store):
            tick(1)
            reason = str(key) if isinstance(key, Exception) else too_short(store, key, k)
            if reason:
                rejected.append(Rejection(ref.clip, reason, ref.patient, ref.view))
            else:
                ready.append((ref, key))
    return ready, rejected


def _predict_clips(
    prepared: list[tuple[ClipRef, str]],
    loader: Loader,
    predictor: Predictor,
    store: Store,
    out: Path,
    asked_view: str | None,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Judge and explain every clip, view by view, so that one network is held at a time."""
    from echokit.stages import predict
    from echokit.stages.sequences import Item

    recipe, classes = predictor.recipe, predictor.classes
    aggregate, spec = make_aggregator(recipe.aggregate.view), make_sequence_spec(recipe, False)
    result: list[dict[str, Any]] = []
    with progress.bar("Predicting and explaining", len(prepared), "clips") as tick:
        for view, weights in predictor.weights.items():
            here = {ref.clip: (ref, key) for ref, key in prepared if ref.view == view}
            if not here:
                continue
            network = predict.load_weights(make_model(recipe, len(classes)), weights)
            items = [Item(ref.clip, key, store.length(key), -1) for ref, key in here.values()]
            for voted in predict.vote_clips(network, items, classes, store, spec, aggregate):
                ref, _ = here[voted.item.clip]
                source = loader.read(ref)
                singles = list(predict.sequence_predictions(voted.votes))
                result.append(
                    {
                        "patient": ref.patient,
                        "clip": ref.clip,
                        "view": view,
                        "view_from": "--view" if asked_view else "file",
                        **_words(voted.prediction, classes),
                        "frames": voted.item.frames,
                        "fps": source.fps,
                        "sequences": [
                            {"start": start, **_words(single, classes)}
                            for start, single in zip(voted.starts, singles, strict=True)
                        ],
                        "saliency": _explain(
                            network, voted, source, make_preparation(recipe), store, predictor, out
                        ),
                    }
                )
                tick(1)
    order = {ref.clip: position for position, (ref, _) in enumerate(prepared)}
    return sorted(result, key=lambda clip: order[clip["clip"]])


def _explain(
    network: Any,
    voted: Any,
    source: Clip,
    preparation: Preparation,
    store: Store,
    predictor: Predictor,
    out: Path,
) -> dict[str, Any] | None:
    """Explain the sequence that speaks most clearly for the clip's label, over its own pixels."""
    from echokit.report import saliency_movie, saliency_strip
    from echokit.stages import explain

    recipe, classes = predictor.recipe, predictor.classes
    if recipe.explain is None:
        return None
    target = classes.index(voted.prediction.label)
    start = voted.starts[int(voted.votes.probabilities[:, target].argmax())]
    spec = make_sequence_spec(recipe, False)
    explainer = make_explainer(recipe.explain)
    clip, saliency = explain.explain(network, explainer, store, voted.item.key, start, target, spec)
    stem = f"{voted.item.clip.replace('/', '_')}-{start:03d}"
    files = {
        kind: f"saliency/{stem}{suffix}"
        for kind, suffix in (("array", ".npz"), ("movie", ".webp"), ("strip", ".png"))
    }
    explain.save_arrays(out / files["array"], clip, saliency)
    # the source's own resolution, but nothing outside the sector: names may be burned in there
    shown = preparation.masked(source)
    frames = shown.frames[start : start + spec.k]
    saliency_movie(frames, saliency.values, out / files["movie"], source.fps or USUAL_FPS)
    saliency_strip(frames, saliency.values, out / files["strip"])
    box = shown.box or Box(0, 0, *source.frames.shape[1:])
    return {
        **files,
        "start": start,
        "method": saliency.method,
        "box": [box.top, box.left, box.height, box.width],
        "scores": explain.judge(saliency.values, clip),
    }


def _subjects(clips: list[dict[str, Any]], predictor: Predictor) -> list[dict[str, Any]]:
    """Let the clips of each patient vote."""
    import numpy as np

    from echokit.stages.predict import vote_views
    from echokit.types import Prediction

    aggregate = make_aggregator(predictor.recipe.aggregate.subject)
    subjects = []
    for patient in dict.fromkeys(clip["patient"] for clip in clips):
        own = [clip for clip in clips if clip["patient"] == patient]
        ballot = [
            (
                clip["view"],
                Prediction(
                    clip["label"],
                    clip["confidence"],
                    np.array([clip["probabilities"][name] for name in predictor.classes]),
                ),
            )
            for clip in own
        ]
        views = {clip["view"] for clip in own}
        subjects.append(
            {
                "patient": patient,
                **_words(vote_views(ballot, predictor.classes, aggregate), predictor.classes),
                "views_used": [view for view in predictor.weights if view in views],
                "views_missing": [view for view in predictor.weights if view not in views],
                "clips": [{k: v for k, v in clip.items() if k != "patient"} for clip in own],
            }
        )
    return subjects


def _words(prediction: Any, classes: tuple[str, ...]) -> dict[str, Any]:
    """A prediction as JSON."""
    return {
        "label": prediction.label,
        "confidence": float(prediction.confidence),
        "probabilities": {
            name: float(p) for name, p in zip(classes, prediction.probabilities, strict=True)
        },
    }


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Give a folder to fill; it becomes `out` when the block ends well, else it is removed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.parent / f".{out.name}.{os.getpid()}"
    partial.mkdir()
    try:
        yield partial
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
