"""One study of one's own, predicted by a trained run: votes, confidences, saliency, a page."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import echokit
from echokit.clips.store import Store
from echokit.components.slots import make_loader, subject_rule
from echokit.engines.choose import EngineRequest
from echokit.engines.engine import need_torch
from echokit.errors import CohortError, UsageError
from echokit.folder import RunFolder
from echokit.recipe import TOGETHER
from echokit.studies.clips import as_json, judge_clips, prepare_clips
from echokit.studies.manifest import is_bundle
from echokit.studies.model import Bench, Predictor, training_predictions
from echokit.studies.networks import opener
from echokit.system.files import read_json, whole_folder, write_json
from echokit.system.progress import Progress, Silent
from echokit.types import Prediction, Rejection
from echokit.voting.view_classifier import ViewClassifier


def open_predictor(
    folder: Path, task: str | None = None, asked: EngineRequest | None = None
) -> Predictor:
    """Open a finished run, or a bundle that was exported of one, to predict with.

    Args:
        folder: the run's folder, or the bundle's.
        task: one of the run's tasks; None for its first.
        asked: the engine and its precision; None for the default.

    Raises:
        UsageError: the folder is not a run, or holds no trained network for the task; or the task
            is to tell views.
    """
    if is_bundle(folder):
        from echokit.studies.bundle import open_bundle

        return open_bundle(folder, task, asked or EngineRequest())
    opened = RunFolder.open(folder)
    need_torch("Predicting with a run, and not with a bundle exported of it,")
    recipe = opened.recipe()
    task = task or next(iter(recipe.enabled_tasks))
    if task not in recipe.enabled_tasks:
        raise UsageError(
            f"{folder} has no task {task!r}: it has {', '.join(recipe.enabled_tasks)}."
        )
    if task in recipe.view_tasks:
        raise UsageError(
            f"{folder} tells views, of which no verdict on a patient is made. Use it to predict "
            f"with another run: echokit predict RUN STUDY --view auto --view-run {folder}"
        )
    approach = recipe.enabled_approaches[0]
    networks = {view: TOGETHER if recipe.views.together else view for view in recipe.views.use}
    below = opened.models / task / approach
    weights = {
        view: path
        for view, network in networks.items()
        if (path := below / network / "split-00.safetensors").is_file()
    }
    if not weights:
        raise UsageError(
            f"{folder} holds no trained network. Finish it with `echokit run --resume {folder}`."
        )
    classes = tuple(read_json(next(iter(weights.values())).with_suffix(".json"))["classes"])
    inner = opened.path / "crossfit.parquet"
    its = recipe.of_approach(approach)
    return Predictor(
        run=folder.resolve().name,
        recipe=its,
        task=task,
        classes=classes,
        weights=weights,
        rule=subject_rule(
            recipe.aggregate.subject,
            classes,
            lambda: training_predictions(inner, task, approach),
        ),
        synthetic=bool(opened.state["synthetic"]),
        records=_records(opened.path / "saliency" / "index.json", task, approach),
        open=opener(its, weights, len(classes), opened.path / "engines", asked or EngineRequest()),
    )


def _records(index: Path, task: str, approach: str) -> dict[str, dict[str, int]]:
    """How the maps of each view's network fared when the run tested them."""
    found: dict[str, dict[str, int]] = {}
    for one in read_json(index)["maps"] if index.is_file() else ():
        verdict = one["scores"].get("verdict")
        if (one["task"], one["approach"]) == (task, approach) and verdict:
            record = found.setdefault(one["view"], {"maps": 0, "passed": 0})
            record["maps"] += 1
            record["passed"] += bool(verdict["passed"])
    return found


def predict_study(
    predictor: Predictor,
    source: Path,
    out: Path,
    *,
    view: str | None = None,
    viewer: ViewClassifier | None = None,
    test_saliency: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Predict a study and write `prediction.json`, `saliency/` and `index.html` into `out`.

    Args:
        predictor: the trained networks.
        source: a clip's file, or a folder of them.
        out: a folder that does not exist yet; it appears whole or not at all.
        view: the view of every clip; None reads it from the files.
        viewer: tells the view of clips whose files do not; None has them refused.
        test_saliency: test each map as a run does; else the run's own tests of the same network
            stand beside it.
        progress: who watches.

    Returns:
        What `prediction.json` holds.

    Raises:
        UsageError: `source` does not exist, `out` does, or no network knows the view.
        CohortError: no clip of the study can be used; every one is named with its reason.
    """
    progress = progress or Silent()
    recipe = predictor.recipe
    if not source.exists():
        raise UsageError(f"There is no study at {source}.")
    if out.exists():
        raise UsageError(f"{out} already exists; choose another folder with --out.")
    if test_saliency and predictor.without_saliency:
        raise UsageError(f"There is no saliency to test: {predictor.without_saliency}")
    if view is not None:
        spelled = {name.lower(): name for name in (*recipe.views.alias, *predictor.weights)}
        view = spelled.get(view.lower(), view)
        view = recipe.views.alias.get(view, view)
        if view not in predictor.weights:
            known = ", ".join(predictor.weights)
            raise UsageError(f"The run has no network for the view {view!r}: it has {known}.")
    asked = {} if view is None else {"view": view}
    with tempfile.TemporaryDirectory(prefix="echokit-") as scratch:
        loader = make_loader(recipe.study, source=str(source), **asked)
        bench = Bench(predictor, loader, Store(Path(scratch)), viewer, test_saliency)
        ready, rejected, confidences = prepare_clips(bench, progress)
        if not ready:
            named = "; ".join(f"{r.where}: {r.reason}" for r in rejected) or "it holds no file"
            raise CohortError(f"No clip of {source} can be used. {named}.")
        with whole_folder(out) as partial:
            judged = {clip["clip"]: clip for clip in judge_clips(bench, ready, partial, progress)}
            source_of_view = "--view" if view else "file"
            clips = [
                judged[ref.clip] | _view_from(source_of_view, confidences.get(ref.clip))
                for ref, _ in ready
            ]
            document = {
                "schema": 1,
                "echokit": echokit.__version__,
                "study": source.name,
                "run": predictor.run,
                "recipe": recipe.name,
                "task": predictor.task,
                "classes": list(predictor.classes),
                "synthetic_training": predictor.synthetic or bool(viewer and viewer.synthetic),
                "view_run": viewer.run if viewer else None,
                "inference": {clip["view"]: clip["inference"] for clip in clips},
                "without_saliency": predictor.without_saliency,
                "subjects": _subjects(clips, predictor),
                "rejected": [_refused(r, source_of_view, confidences) for r in rejected],
                "stages": bench.profile.rows(),
            }
            write_json(partial / "prediction.json", document)
            from echokit.report import build_study_page

            build_study_page(partial)
    return document


def _view_from(source: str, confidence: float | None) -> dict[str, Any]:
    """Who said of which view a clip is; only a network says how sure it is."""
    return {
        "view_from": source if confidence is None else "network",
        "view_confidence": confidence,
    }


def _refused(item: Rejection, source: str, confidences: Mapping[str, float]) -> dict[str, Any]:
    """A file or clip that is not used."""
    told = _view_from(source, confidences.get(item.where)) if item.view else {}
    return {"where": item.where, "reason": item.reason, "view": item.view} | told


def _subjects(clips: list[dict[str, Any]], predictor: Predictor) -> list[dict[str, Any]]:
    """Let the clips of each patient vote."""
    import numpy as np

    from echokit.voting.votes import vote_views

    subjects = []
    apart = {"patient", "inference"}
    for patient in dict.fromkeys(clip["patient"] for clip in clips):
        own = [clip for clip in clips if clip["patient"] == patient]
        ballot = []
        for clip in own:
            probabilities = np.array([clip["probabilities"][name] for name in predictor.classes])
            prediction = Prediction(clip["label"], clip["confidence"], probabilities)
            ballot.append((clip["view"], prediction))
        views = {clip["view"] for clip in own}
        subjects.append(
            {
                "patient": patient,
                **as_json(vote_views(ballot, predictor.classes, predictor.rule), predictor.classes),
                "views_used": [view for view in predictor.weights if view in views],
                "views_missing": [v for v in predictor.recipe.views.use if v not in views],
                "clips": [{k: v for k, v in clip.items() if k not in apart} for clip in own],
            }
        )
    return subjects
