"""The clips of one study: prepared, judged by the network of their view, explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.clips import cohort as cohorts
from echokit.clips.preparation import prepare, too_short
from echokit.components.slots import (
    make_aggregator,
    make_explainer,
    make_preparation,
    make_sequence_spec,
)
from echokit.errors import ClipError
from echokit.studies.model import Bench
from echokit.system.progress import Progress
from echokit.types import USUAL_FPS, Box, ClipRef, Prediction, Rejection
from echokit.voting.view_classifier import find_views

if TYPE_CHECKING:
    from echokit.voting.votes import ClipVotes


def prepare_clips(
    bench: Bench, progress: Progress
) -> tuple[list[tuple[ClipRef, str]], list[Rejection], Mapping[str, float]]:
    """Prepare every clip that a network can judge; name every other one with its reason.

    Returns:
        `(ref, key in the store)` of each clip that is ready, the rejections, and clip ->
        confidence of each view that a network found.
    """
    recipe, weights = bench.predictor.recipe, bench.predictor.weights
    found, confidences = bench.loader.index(), dict[str, float]()
    if bench.viewer is not None:
        with bench.profile.stage("tell views"):
            found, confidences = find_views(
                found, bench.loader, bench.viewer, bench.store, progress
            )
    clips, refused = cohorts.separate(found, weights, recipe.views.alias)
    ready, rejected = [], list(refused)
    with progress.bar("Preparing clips", len(clips), "clips") as tick:
        prepared = prepare(bench.loader, clips, make_preparation(recipe), bench.store)
        for ref, key in bench.profile.each("prepare", prepared):
            tick(1)
            if isinstance(key, ClipError):
                rejected.append(Rejection(ref.clip, str(key), ref.patient, ref.view))
            elif reason := too_short(bench.store, key, recipe.sequences.k):
                rejected.append(Rejection(ref.clip, reason, ref.patient, ref.view))
            else:
                ready.append((ref, key))
    return ready, rejected, confidences


def judge_clips(
    bench: Bench, ready: list[tuple[ClipRef, str]], out: Path, progress: Progress
) -> Iterator[dict[str, Any]]:
    """Judge and explain every clip, view by view, so that one network is held at a time.

    Yields:
        One clip's part of `prediction.json`, with its patient and the engine that judged it.
    """
    from echokit.clips.sequences import Item
    from echokit.voting import votes as predict

    recipe, classes = bench.predictor.recipe, bench.predictor.classes
    aggregate, spec = make_aggregator(recipe.aggregate.view), make_sequence_spec(recipe, False)
    work = "Predicting" if bench.predictor.without_saliency else "Predicting and explaining"
    with progress.bar(work, len(ready), "clips") as tick:
        for view in bench.predictor.weights:
            here = {ref.clip: (ref, key) for ref, key in ready if ref.view == view}
            if not here:
                continue
            items = [Item(ref.clip, key, bench.store.length(key), -1) for ref, key in here.values()]
            with bench.profile.stage("open networks"):
                sample = predict.sample(items, bench.store, spec)
                judge, network = bench.predictor.open(view, sample, len(items) * spec.n)
            forward = judge.running.forward
            votes = predict.vote_clips(forward, items, classes, bench.store, spec, aggregate)
            for voted in bench.profile.each("predict", votes):
                ref, _ = here[voted.item.clip]
                singles = predict.sequence_predictions(voted.votes)
                saliency = None
                if network is not None:
                    with bench.profile.stage("explain"):
                        saliency = _explain(network, voted, ref, bench, out)
                yield {
                    "patient": ref.patient,
                    "inference": judge.as_json(),
                    "clip": ref.clip,
                    "view": view,
                    **as_json(voted.prediction, classes),
                    "frames": voted.item.frames,
                    "fps": bench.store.clip(voted.item.key, 0, 1).fps,
                    "sequences": [
                        {"start": start, **as_json(single, classes)}
                        for start, single in zip(voted.starts, singles, strict=True)
                    ],
                    "saliency": saliency,
                }
                tick(1)


def _explain(
    network: Any, voted: ClipVotes, ref: ClipRef, bench: Bench, out: Path
) -> dict[str, Any] | None:
    """Explain the sequence that speaks most clearly for the clip's label, over its own pixels."""
    from echokit.clips.sequences import digest
    from echokit.saliency import explain
    from echokit.saliency.record import Explanation, file_stem, record

    recipe, classes = bench.predictor.recipe, bench.predictor.classes
    if recipe.explain is None or bench.store.sector(voted.item.key) is None:
        return None  # outside a sector names may be burned in: without one nothing is shown
    target = classes.index(voted.prediction.label)
    start = voted.starts[int(voted.votes.probabilities[:, target].argmax())]
    spec = make_sequence_spec(recipe, False)
    explainer = make_explainer(recipe.explain)
    clip, saliency = explain.explain(
        network, explainer, bench.store, voted.item.key, start, target, spec
    )
    if bench.test_saliency:
        scores = explain.examine(network, explainer, clip, saliency, spec, digest(ref.clip, start))
    else:
        scores = explain.judge(saliency.values, clip)
    # the source's own resolution, but nothing outside the sector
    source = bench.loader.read(ref)
    shown = make_preparation(recipe).masked(source)
    files = record(
        Explanation(clip, start, saliency, scores),
        out / "saliency" / file_stem(ref.clip, ref.view, start),
        frames=shown.frames[start : start + spec.k],
        fps=source.fps or USUAL_FPS,
    )
    box = shown.box or Box(0, 0, *source.frames.shape[1:])
    return {
        **files.as_json(out),
        "start": start,
        "method": saliency.method,
        "box": [box.top, box.left, box.height, box.width],
        "scores": scores,
        "record": bench.predictor.records.get(ref.view or ""),
    }


def as_json(prediction: Prediction, classes: tuple[str, ...]) -> dict[str, Any]:
    """A prediction in plain values."""
    return {
        "label": prediction.label,
        "confidence": float(prediction.confidence),
        "probabilities": {
            name: float(p) for name, p in zip(classes, prediction.probabilities, strict=True)
        },
    }
