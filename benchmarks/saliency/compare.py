"""Compare explainers on the networks of a finished run: which maps pass, and how fast.

    python benchmarks/saliency/compare.py RUN [--examples 2] [--method NAME ...] [--out FOLDER]

Each method explains the same sequences of held-out patients, those that the run itself would
explain, and its maps go through the run's own checks. Nothing in the run is changed.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echokit import Explainer, Saliency, resolve
from echokit.clips.sequences import digest
from echokit.components.parts import Parts
from echokit.runs.context import Run
from echokit.runs.explain import source_frames
from echokit.runs.jobs import jobs_of
from echokit.runs.start import open_run
from echokit.saliency import explain as maps
from echokit.saliency.record import Explanation, file_stem, record
from echokit.system.files import write_json
from echokit.voting.table import Place


def enlarged(explainer: Explainer, factor: int) -> Explainer:
    """Explain the sequence enlarged in space: the network is convolutional, its map finer."""

    def explain(model: nn.Module, sequence: Tensor, target: int) -> Saliency:
        size = tuple(factor * side for side in sequence.shape[2:])
        larger = F.interpolate(sequence.transpose(0, 1), size, mode="bilinear").transpose(0, 1)
        saliency = explainer(model, larger, target)
        values = torch.from_numpy(saliency.values)[None]
        small = F.interpolate(values, tuple(sequence.shape[2:]), mode="area")[0]
        return replace(saliency, values=_scaled(small.numpy()))

    return explain


def shifted(explainer: Explainer, most: int, step: int = 1) -> Explainer:
    """Average the maps of the sequence moved by up to `most` pixels, each moved back."""

    def explain(model: nn.Module, sequence: Tensor, target: int) -> Saliency:
        total = np.zeros(tuple(sequence.shape[1:]), np.float32)
        moves = range(-most, most + 1, step)
        padded = F.pad(sequence, (most,) * 4, mode="replicate")
        height, width = sequence.shape[2:]
        for down in moves:
            for right in moves:
                top, left = most - down, most - right
                moved = padded[:, :, top : top + height, left : left + width]
                one = explainer(model, moved.contiguous(), target).values
                back = np.pad(one, ((0, 0), (most, most), (most, most)), mode="edge")
                rows, columns = most + down, most + right
                total += back[:, rows : rows + height, columns : columns + width]
        return Saliency(_scaled(total), target, "shifted")

    return explain


def _scaled(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-6 * max(high, 1e-12):
        return np.zeros_like(values, dtype=np.float32)
    return ((values - low) / (high - low)).astype(np.float32)


def _methods() -> dict[str, Callable[[], Explainer]]:
    def make(name: str, **options: object) -> Callable[[], Explainer]:
        return lambda: resolve("explainer", f"captum-{name}", **options)

    def gradients(baseline: str, smooth: float = 1 / 16) -> Callable[[], Explainer]:
        return make("integrated-gradients", baseline=baseline, smooth=smooth, steps=16, batch=16)

    fine = make("hirescam", layer="stage2")
    return {
        "gradcam stage4 (paper)": make("gradcam", layer="stage4"),
        "gradcam stage2": make("gradcam", layer="stage2"),
        "hirescam stage1": make("hirescam", layer="stage1"),
        "hirescam stage2": fine,
        "hirescam stage3": make("hirescam", layer="stage3"),
        "hirescam stage2, enlarged 2x": lambda: enlarged(fine(), 2),
        "hirescam stage2, enlarged 3x": lambda: enlarged(fine(), 3),
        "hirescam stage3, enlarged 3x": lambda: enlarged(make("hirescam", layer="stage3")(), 3),
        "hirescam stage2, shifted": lambda: shifted(fine(), 2, 2),
        "integrated gradients": gradients("least", 0.0),
        "integrated gradients, smooth": gradients("least"),
        "integrated gradients from the mean, smooth": gradients("mean"),
        "integrated gradients from the blurred, smooth": gradients("blurred"),
        "integrated gradients of motion, smooth": gradients("still"),
        "gradient shap": make("gradient-shap"),
        "occlusion": make("occlusion", batch=16),
        "occlusion by the blurred": make("occlusion", baseline="blurred", batch=16),
    }


METHODS = _methods()


@dataclass(frozen=True, slots=True)
class Case:
    """One sequence to explain."""

    view: str
    label: str
    clip: str
    key: str
    start: int
    target: int
    network: nn.Module
    parts: Parts


def cases(run: Run, examples: int) -> Iterator[Case]:
    """List the sequences that the run would explain with so many examples of each label."""
    predictions, population = run.held_out, run.population
    for job in (job for job in jobs_of(run) if job.split == 0):
        classes, network = population.classes(job.task), run.network(job)
        of_job = predictions.at(Place(job.task, job.approach, job.view, job.split))
        for row in maps.choose(of_job.views, classes, examples).rows():
            label = row.prediction.label
            start = maps.typical_sequence(of_job.sequences.where(clip=row.clip), label, classes)
            yield Case(
                job.view, label, row.clip, population.keys[row.clip][0], start,
                classes.index(label), network, run.parts[job.approach],
            )  # fmt: skip


def measure(run: Run, case: Case, method: str, out: Path | None) -> dict[str, object]:
    """Explain one sequence by one method and check the map."""
    explainer, spec = METHODS[method](), case.parts.voting
    started = time.perf_counter()
    clip, saliency = maps.explain(
        case.network, explainer, run.store, case.key, case.start, case.target, spec
    )
    seconds = time.perf_counter() - started
    seed = digest(case.clip, case.start)
    scores = maps.score_map(case.network, explainer, clip, saliency, spec, seed)
    if out is not None:
        shown = source_frames(run, case.parts, case.clip, case.start)
        stem = file_stem(case.clip, case.view, case.start)
        name = f"{stem}-{case.label}-{method}".replace("/", "-").replace(" ", "_")
        record(Explanation(clip, case.start, saliency, {}), out / name, shown=shown)
    gap = scores.checks.gap
    return {
        "view": case.view,
        "label": case.label,
        "method": method,
        "seconds": seconds,
        "passed": scores.verdict.passed,
        "reasons": [reason[:60] for reason in scores.verdict.reasons],
        "gap": None if gap is None else gap.value - gap.chance,
        "p": None if gap is None else gap.p,
        "places": {name: test.p for name, test in scores.places.items()},
        "structures": {name: [t.energy, t.chance] for name, t in scores.places.items()},
    }


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--examples", type=int, default=1)
    parser.add_argument("--method", action="append", choices=METHODS)
    parser.add_argument("--out", type=Path, help="folder for rows.json and pictures")
    parser.add_argument("--pictures", action="store_true")
    given = parser.parse_args()
    run = open_run(given.run)
    print("| method | maps that pass | by label | gap above chance | on structures (chance) | s |")
    print("|---|---|---|--:|---|--:|")
    rows: list[dict[str, object]] = []
    sequences = list(cases(run, given.examples))
    for method in given.method or METHODS:
        first = len(rows)
        for case in sequences:
            rows.append(measure(run, case, method, given.out if given.pictures else None))
            if given.out is not None:
                write_json(given.out / "rows.json", rows)
        print(summary(method, rows[first:]), flush=True)


def summary(method: str, rows: list[dict[str, object]]) -> str:
    """One line of the table."""
    passed = Counter(str(row["label"]) for row in rows if row["passed"])
    total = Counter(str(row["label"]) for row in rows)
    by_label = ", ".join(f"{label} {passed[label]}/{n}" for label, n in total.items())
    gaps = [row["gap"] for row in rows if row["gap"] is not None]
    seconds = np.median([row["seconds"] for row in rows])
    places = [row["structures"].get("structures", [np.nan, np.nan]) for row in rows]
    on, chance = np.nanmean(np.array(places, float), axis=0)
    return (
        f"| {method} | {sum(passed.values())} of {len(rows)} | {by_label} | {np.mean(gaps):.2f} | "
        f"{on:.2f} ({chance:.2f}) | {seconds:.2f} |"
    )


if __name__ == "__main__":
    main()
