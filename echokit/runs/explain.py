"""Explain a few held-out predictions of each view and label: `saliency/`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import nn

from echokit.clips.sequences import digest, voting_starts
from echokit.components.parts import Parts
from echokit.errors import EchokitError
from echokit.networks.job import Job
from echokit.networks.sampling import VotingSequences
from echokit.runs.context import Run
from echokit.runs.jobs import jobs_of
from echokit.saliency import explain as maps
from echokit.saliency.cardiac_phases import Phases, find_phases
from echokit.saliency.effort import passes_of, take_in_turn
from echokit.saliency.perturbation import order_effect
from echokit.saliency.record import Explanation, Recorded, file_stem, record
from echokit.saliency.verdict import network_verdict
from echokit.system.files import write_json
from echokit.system.progress import Tick
from echokit.types import USUAL_FPS, Clip
from echokit.voting.table import Place, PredictionTable, Row

CLIPS = 16
"""Largest number of held-out clips on which the effect of the frame order is measured."""
FOLDER = "saliency"
LONG = 300.0
"""Seconds of explaining from which on the user is told."""


LEFT_OUT = (
    "Explaining {} predictions by {} takes {:,} passes through networks: {} of them are "
    "explained, of each network in turn. More of them, in more time: --set report.passes=N."
)


class SlowWarning(UserWarning):
    """A step takes long, which the user may not want."""


def step(run: Run) -> str:
    """Explain held-out clips of the first split, and test the maps."""
    return explain_into(run, run.folder.path)


@dataclass(frozen=True, slots=True)
class ExplainedClip:
    """The explanation of one held-out clip: an entry of `maps` in `saliency/index.json`."""

    job: Job
    """The network that was explained."""
    row: Row
    """The prediction that was explained."""
    start: int
    """First frame of the explained sequence."""
    method: str
    """Full name of the explainer."""
    files: Recorded
    scores: maps.MapScores
    phases: Phases

    def as_json(self, root: Path) -> dict[str, object]:
        """Convert to plain values, with paths relative to a folder."""
        return self.job.place | {
            "patient": self.row.patient,
            "clip": self.row.clip,
            "label": self.row.label,
            "predicted": self.row.prediction.label,
            "confidence": self.row.prediction.confidence,
            "start": self.start,
            "method": self.method,
            **self.files.as_json(root),
            "scores": self.scores.as_json(),
            "phases": self.phases.as_json(),
        }


def explain_into(run: Run, out: Path) -> str:
    """Explain a run's predictions and write `saliency/` below a folder."""
    if run.recipe.explain is None or not run.recipe.report.examples:
        return "nothing asked"
    predictions, population = run.held_out, run.population
    jobs = [job for job in jobs_of(run) if job.split == 0]
    examples, named = run.recipe.report.examples, run.recipe.explain.use
    asked = [len(population.classes(job.task)) * examples for job in jobs]
    passes = [_passes(run, job) for job in jobs]
    taken = take_in_turn(asked, passes, run.recipe.report.passes)
    if taken != asked:
        needed = sum(count * each for count, each in zip(asked, passes, strict=True))
        warnings.warn(LEFT_OUT.format(sum(asked), named, needed, sum(taken)), SlowWarning, 2)
    with run.progress.bar("Explaining predictions", sum(taken), "maps") as tick:
        tick = _telling(tick, sum(taken), named)
        explained = [
            list(_explain_job(run, job, predictions, out, tick, most))
            for job, most in zip(jobs, taken, strict=True)
        ]
    verdicts = [network_verdict(c.scores.verdict.passed for c in clips) for clips in explained]
    with run.progress.bar("Shuffling frames", len(jobs), "networks") as tick:
        networks = [
            _frame_order(run, job, tick)
            | asdict(verdict)
            | ({"left_out": all_of_it - most} if all_of_it > most else {})
            for job, verdict, all_of_it, most in zip(jobs, verdicts, asked, taken, strict=True)
        ]
    entries = [clip.as_json(out) for clips in explained for clip in clips]
    index = {"schema": 1, "maps": entries, "networks": networks}
    write_json(out / FOLDER / "index.json", index)
    flagged = [
        f"{job.task} {job.approach} {job.view}"
        for job, verdict in zip(jobs, verdicts, strict=True)
        if verdict.flagged
    ]
    failed = sum(verdict.maps - verdict.passed for verdict in verdicts)
    fewer = f" of {sum(asked)}" if taken != asked else ""
    summary = f"{len(entries)}{fewer} maps, {failed} flagged; "
    summary += f"{len(flagged)} of {len(networks)} networks flagged"
    return f"{summary}: {', '.join(flagged)}" if flagged else summary


def _passes(run: Run, job: Job) -> int:
    """Return the passes that explaining one prediction of a network takes, if that is known."""
    parts = run.parts[job.approach]
    keys = [key for key, _ in run.population.keys.values()]
    _, height, width = run.store.shape(keys[0])
    return passes_of(parts.explainer, (1, parts.voting.k, height, width))


def _telling(tick: Tick, total: int, explainer: str) -> Tick:
    """Return a tick that says after the first map how long all will take, if that is long."""
    started, told = time.monotonic(), False

    def told_tick(done: int) -> None:
        nonlocal told
        tick(done)
        seconds = time.monotonic() - started
        if not told and seconds * total > LONG:
            warnings.warn(
                f"Explaining {total} predictions by {explainer} takes about "
                f"{seconds * total / 60:.0f} minutes. All else is done: stop it with Ctrl-C, set "
                "examples = 0 below [report] in the run's recipe.toml, and resume the run without.",
                SlowWarning,
                stacklevel=2,
            )
        told = True

    return told_tick


def _explain_job(
    run: Run,
    job: Job,
    predictions: PredictionTable,
    out: Path,
    tick: Tick,
    most: int | None = None,
) -> Iterator[ExplainedClip]:
    """Explain a few clips of one network's view, at most `most`."""
    classes, network = run.population.classes(job.task), run.network(job)
    of_job = predictions.at(Place(job.task, job.approach, job.view, job.split))
    for row in maps.choose(of_job.views, classes, run.recipe.report.examples, most).rows():
        predicted = row.prediction.label
        start = maps.typical_sequence(of_job.sequences.where(clip=row.clip), predicted, classes)
        yield _explain_clip(run, job, row, network, start, classes.index(predicted), out)
        tick(1)


def _explain_clip(
    run: Run, job: Job, row: Row, network: nn.Module, start: int, target: int, out: Path
) -> ExplainedClip:
    """Explain one sequence of a clip, score its map and record it."""
    parts = run.parts[job.approach]
    explainer, spec = parts.explainer, parts.voting
    assert explainer is not None, "a run that explains has an explainer"
    key, _ = run.population.keys[row.clip]
    clip, saliency = maps.explain(network, explainer, run.store, key, start, target, spec)
    seed = digest(row.clip, start)
    scores = maps.score_map(network, explainer, clip, saliency, spec, seed)
    stem = Path(job.task, job.approach, job.view, file_stem(row.clip, job.view, start))
    explanation = Explanation(clip, start, saliency, scores.as_json())
    files = record(
        explanation, out / FOLDER / stem, shown=source_frames(run, parts, row.clip, start)
    )
    # the phases are found from the whole clip, which shows more beats than the sequence
    frames, fps = run.store.clip(key).frames, float(clip.fps or USUAL_FPS)
    phases = find_phases(frames, fps, clip.sector, start=start, k=len(clip.frames))
    return ExplainedClip(job, row, start, saliency.method, files, scores, phases)


def source_frames(run: Run, parts: Parts, clip: str, start: int) -> Clip | None:
    """Read the frames of a sequence from the source, cropped to the sector and masked outside it.

    Args:
        run: the run.
        parts: the components of the approach whose network is explained.
        clip: name of the clip.
        start: first frame of the sequence.

    Returns:
        None where the source cannot be read any more, or no step of the preparation finds a
        sector: what lies outside of one may be a name.
    """
    _, length = run.population.keys[clip]
    try:
        ref, k = run.population.refs[clip], parts.voting.k
        masked, frames = parts.preparation.shown(run.loader, ref, start, k)
    except EchokitError:
        return None
    return masked if masked.sector is not None and frames == length else None


def _frame_order(run: Run, job: Job, tick: Tick) -> dict[str, object]:
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
    unknown: dict[str, object] = {"shuffle": None, "changed": None, "n": len(sequences)}
    return job.place | (asdict(effect) if effect else unknown)
