"""Explain a few held-out predictions of each view and label: `saliency/`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from echokit.clips.sequences import digest, voting_starts
from echokit.networks.job import Job
from echokit.networks.sampling import VotingSequences
from echokit.runs.context import Run
from echokit.runs.jobs import jobs_of
from echokit.saliency import explain as maps
from echokit.saliency.cardiac_phases import find_phases
from echokit.saliency.perturbation import order_effect
from echokit.saliency.record import Explanation, file_stem, record
from echokit.saliency.verdict import network_verdict
from echokit.system.files import write_json
from echokit.system.progress import Tick
from echokit.types import USUAL_FPS
from echokit.voting.table import Place, PredictionTable, Row

CLIPS = 16
"""Largest number of held-out clips on which the effect of the frame order is measured."""
FOLDER = "saliency"


def step(run: Run) -> str:
    """Explain held-out clips of the first split, and test the maps."""
    return explain_into(run, run.folder.path)


def explain_into(run: Run, out: Path) -> str:
    """Explain a run's predictions and write `saliency/` below a folder."""
    if run.recipe.explain is None or not run.recipe.report.examples:
        return "nothing asked"
    predictions, population = run.held_out, run.population
    jobs = [job for job in jobs_of(run) if job.split == 0]
    examples = run.recipe.report.examples
    total = sum(len(population.classes(job.task)) * examples for job in jobs)
    with run.progress.bar("Explaining predictions", total, "maps") as tick:
        explained = [list(_explain_job(run, job, predictions, out, tick)) for job in jobs]
    with run.progress.bar("Shuffling frames", len(jobs), "networks") as tick:
        networks = [
            _frame_order(run, job, tick)
            | asdict(network_verdict(entry["scores"]["verdict"]["passed"] for entry in of_job))
            for job, of_job in zip(jobs, explained, strict=True)
        ]
    entries = [entry for of_job in explained for entry in of_job]
    index = {"schema": 1, "maps": entries, "networks": networks}
    write_json(out / FOLDER / "index.json", index)
    failed = sum(not entry["scores"]["verdict"]["passed"] for entry in entries)
    flagged = [f"{n['task']} {n['approach']} {n['view']}" for n in networks if n["flagged"]]
    summary = (
        f"{len(entries)} maps, {failed} flagged; {len(flagged)} of {len(networks)} networks flagged"
    )
    return f"{summary}: {', '.join(flagged)}" if flagged else summary


def _explain_job(
    run: Run, job: Job, predictions: PredictionTable, out: Path, tick: Tick
) -> Iterator[dict[str, Any]]:
    """Explain a few clips of one network's view; yield their entries of `saliency/index.json`."""
    classes, network = run.population.classes(job.task), run.network(job)
    of_job = predictions.at(Place(job.task, job.approach, job.view, job.split))
    for row in maps.choose(of_job.views, classes, run.recipe.report.examples).rows():
        predicted = row.prediction.label
        start = maps.typical_sequence(of_job.sequences.where(clip=row.clip), predicted, classes)
        yield _explain_clip(run, job, row, network, start, classes.index(predicted), out)
        tick(1)


def _explain_clip(
    run: Run, job: Job, row: Row, network: nn.Module, start: int, target: int, out: Path
) -> dict[str, Any]:
    """Explain one clip, record it, and return its entry of `saliency/index.json`."""
    parts = run.parts[job.approach]
    explainer, spec = parts.explainer, parts.voting
    assert explainer is not None, "a run that explains has an explainer"
    key, _ = run.population.keys[row.clip]
    clip, saliency = maps.explain(network, explainer, run.store, key, start, target, spec)
    seed = digest(row.clip, start)
    scores = maps.score_map(network, explainer, clip, saliency, spec, seed).as_json()
    stem = Path(job.task, job.approach, job.view, file_stem(row.clip, job.view, start))
    files = record(Explanation(clip, start, saliency, scores), out / FOLDER / stem)
    # the phases are found from the whole clip, which shows more beats than the sequence
    frames, fps = run.store.clip(key).frames, float(clip.fps or USUAL_FPS)
    phases = find_phases(frames, fps, clip.sector, start=start, k=len(clip.frames))
    return job.place | {
        "patient": row.patient,
        "clip": row.clip,
        "label": row.label,
        "predicted": row.prediction.label,
        "confidence": row.prediction.confidence,
        "start": start,
        "method": saliency.method,
        **files.as_json(out),
        "scores": scores,
        "phases": phases.as_json(),
    }


def _frame_order(run: Run, job: Job, tick: Tick) -> dict[str, Any]:
    """Measure the effect of shuffled frames on one network, on sequences of some held-out clips."""
    spec = run.parts[job.approach].voting
    # sorted by digest, because a cohort may be listed in the order of its labels
    items = sorted(run.population.items(job, "test"), key=lambda item: digest("order", item.clip))
    windows = [
        (item.key, voting_starts(item.clip, item.frames, spec.k, spec.n)[0])
        for item in items[:CLIPS]
    ]
    dataset = VotingSequences(windows, run.store, spec)
    sequences = [dataset[i] for i in range(len(dataset))]
    network = run.network(job)
    effect = order_effect(network, sequences, digest("order", *job.place.values()))
    tick(1)
    none = {"shuffle": None, "changed": None, "n": len(sequences)}
    return job.place | (asdict(effect) if effect else none)
