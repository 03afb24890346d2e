"""Saliency of held-out predictions: arrays, playable clips and their index in `saliency/`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.clips.store import Store
from echokit.components import make_explainer, make_sequence_spec
from echokit.folder import RunFolder
from echokit.recipe import Recipe
from echokit.runs.jobs import jobs_of, load_network
from echokit.runs.population import Study
from echokit.system.files import write_json
from echokit.system.progress import Progress, Tick
from echokit.types import USUAL_FPS

if TYPE_CHECKING:
    import pandas as pd

    from echokit.networks.job import Job

CLIPS = 16
"""Held-out clips, at most, on which a network's use of the order of frames is measured."""
VIEW_COLUMNS = ("patient", "clip", "label", "predicted", "confidence")


def explain_all(study: Study, recipe: Recipe, folder: RunFolder, progress: Progress) -> str:
    """Explain a few held-out clips of each view and label; write `saliency/`."""
    import pandas as pd

    from echokit.saliency.verdict import judge_network

    if recipe.explain is None or not recipe.report.examples:
        return "nothing asked"
    predictions = pd.read_parquet(folder.predictions)
    jobs = [job for job in jobs_of(study, recipe) if job.split == 0]
    total = sum(len(study.labelled[job.task].classes) * recipe.report.examples for job in jobs)
    with progress.bar("Explaining predictions", total, "maps") as tick:
        explained = [
            list(_explain_job(job, study, recipe, folder, predictions, tick)) for job in jobs
        ]
    with progress.bar("Shuffling frames", len(jobs), "networks") as tick:
        networks = [
            _frame_order(job, study, recipe, folder, tick)
            | judge_network(one["scores"]["verdict"] for one in its)
            for job, its in zip(jobs, explained, strict=True)
        ]
    maps = [one for its in explained for one in its]
    index = {"schema": 1, "maps": maps, "networks": networks}
    write_json(folder.path / "saliency" / "index.json", index)
    flagged = sum(not one["scores"]["verdict"]["passed"] for one in maps)
    bad = [f"{one['task']} {one['approach']} {one['view']}" for one in networks if one["flagged"]]
    said = f"{len(maps)} maps, {flagged} flagged; {len(bad)} of {len(networks)} networks flagged"
    return f"{said}: {', '.join(bad)}" if bad else said


def _explain_job(
    job: Job,
    study: Study,
    recipe: Recipe,
    folder: RunFolder,
    predictions: pd.DataFrame,
    tick: Tick,
) -> Iterator[dict[str, Any]]:
    from echokit.clips.sequences import digest
    from echokit.report import saliency_movie, saliency_strip
    from echokit.saliency import explain
    from echokit.saliency.cardiac_phases import find_phases

    recipe = recipe.of_approach(job.approach)
    assert recipe.explain is not None
    classes = study.labelled[job.task].classes
    here = predictions
    for column, value in job.place.items():
        here = here[here[column] == value]
    explainer, spec = make_explainer(recipe.explain), make_sequence_spec(recipe, training=False)
    network, store = load_network(job, recipe, len(classes), folder), Store(folder.store)
    chosen = explain.choose(here[here["level"] == "view"], classes, recipe.report.examples)
    for view in chosen.to_dict("records"):
        sequences = here[(here["level"] == "sequence") & (here["clip"] == view["clip"])]
        start = explain.typical_sequence(sequences, view["predicted"], classes)
        target = classes.index(view["predicted"])
        key, _ = study.keys[view["clip"]]
        clip, saliency = explain.explain(network, explainer, store, key, start, target, spec)
        seed = digest(view["clip"], start)
        scores = explain.examine(network, explainer, clip, saliency, spec, seed)
        name = explain.file_stem(view["clip"], job.view, start)
        stem = Path("saliency", job.task, job.approach, job.view, name)
        files = {
            kind: stem.with_name(stem.name + suffix)
            for kind, suffix in (("array", ".npz"), ("movie", ".webp"), ("strip", ".png"))
        }
        explain.save_arrays(folder.path / files["array"], clip, saliency)
        fps, inside = clip.fps or USUAL_FPS, clip.sector
        movie, strip = folder.path / files["movie"], folder.path / files["strip"]
        saliency_movie(clip.frames, saliency.values, movie, fps, sector=inside)
        saliency_strip(clip.frames, saliency.values, strip, fps=fps, sector=inside)
        beats = store.clip(key).frames
        phases = find_phases(beats, float(fps), inside, start=start, k=len(clip.frames))
        yield job.place | {
            **{column: view[column] for column in VIEW_COLUMNS},
            "start": start,
            "method": saliency.method,
            **{kind: file.as_posix() for kind, file in files.items()},
            "scores": scores,
            "phases": phases.asdict(),
        }
        tick(1)


def _frame_order(
    job: Job, study: Study, recipe: Recipe, folder: RunFolder, tick: Tick
) -> dict[str, Any]:
    """What shuffling frames does to one network: the first sequence of some held-out clips."""
    from echokit.clips.sequences import digest, voting_starts
    from echokit.networks.sampling import VotingSequences
    from echokit.saliency.perturbation import order_effect

    recipe = recipe.of_approach(job.approach)
    spec, store = make_sequence_spec(recipe, training=False), Store(folder.store)
    network = load_network(job, recipe, len(study.labelled[job.task].classes), folder)
    # drawn by their names: a cohort may be listed in the order of its labels
    items = sorted(study.items(job, "test"), key=lambda item: digest("order", item.clip))[:CLIPS]
    starts = [voting_starts(item.clip, item.frames, spec.k, spec.n)[0] for item in items]
    windows = [(item.key, start) for item, start in zip(items, starts, strict=True)]
    drawn = VotingSequences(windows, store, spec)
    sequences = [drawn[i] for i in range(len(drawn))]
    effect = order_effect(network, sequences, digest("order", *job.place.values()))
    tick(1)
    none = {"shuffle": None, "changed": None, "n": len(sequences)}
    return job.place | (asdict(effect) if effect else none)
