"""Measure how well a run notices clips that are unlike those it learned from.

    python benchmarks/novelty/measure.py RUN --out benchmarks/novelty

Every clip goes the whole way of `echokit predict`: a clip that preparation refuses counts as
noticed, too. Held-out patients of the run's own cohort are what is usual; each kind of other clip
is made of the same patients' clips, or comes from elsewhere.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

import echokit
from echokit.components.loading import make_loader
from echokit.runs.start import open_run
from echokit.types import Clip

NEEDED = {"wrong view": 0.95, "noise": 0.95, "non-echo video": 0.95}
"""AUROC that a run should reach."""
REFUSED = 1e6
"""Score of a clip that preparation refused."""
SUPPORT = Path(__file__).parents[2] / "tests" / "support"


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model said of one clip."""

    kind: str
    view: str
    score: float
    """In spreads above the usual distance."""
    noticed: bool
    """Rejected, by preparation or for being unlike the training clips."""


def score(model: echokit.Model, kind: str, view: str, clip: Clip) -> Scored:
    """Score one clip under the name of a view."""
    try:
        result = model.predict(clip, view=view, saliency=False, judge_anyway=True)
    except echokit.CohortError:
        return Scored(kind, view, REFUSED, True)
    verdict = result.clips[0].novelty
    if verdict is None:
        raise SystemExit(f"The run has no detector for {view}: it has too few training clips.")
    # a view network, where one stands beside the run, may have doubted the view, too
    return Scored(kind, view, verdict.score, bool(result.clips[0].judged_anyway))


def made_of(clip: Clip, rng: np.random.Generator) -> Iterator[tuple[str, Clip]]:
    """Yield what becomes of a clip: kind, clip."""
    frames = clip.frames
    bare = replace(clip, sector=None, structures=None, structure_names=())
    yield "upside-down", replace(bare, frames=frames[:, ::-1].copy())
    noise = rng.integers(0, 256, frames.shape, dtype=np.uint8)
    yield "noise", replace(bare, frames=noise)
    inside = frames.max(axis=0) > 0
    yield "noise in the sector", replace(bare, frames=noise * inside)
    jitter = rng.normal(0, 2, frames.shape) * inside
    still = np.clip(frames[:1] + jitter, 0, 255).astype(np.uint8)
    yield "still made cine", replace(bare, frames=still)


def photographs(frames: int, side: int, rng: np.random.Generator) -> Iterator[Clip]:
    """Yield grey videos that pan over photographs, as a phone films a room."""
    from sklearn.datasets import load_sample_images

    for photograph in load_sample_images().images:
        grey = photograph.mean(axis=2).astype(np.uint8)
        for _ in range(10):
            row, column = (int(rng.integers(0, size - side - frames)) for size in grey.shape)
            steps = rng.integers(0, 3, (frames, 2)).cumsum(axis=0) * 0.5
            rows, columns = (steps.astype(int) + np.array([row, column])).T
            yield Clip(
                np.stack(
                    [grey[r : r + side, c : c + side] for r, c in zip(rows, columns, strict=True)]
                ),
                fps=25.0,
            )


def adults() -> Iterator[Clip]:
    """Yield pydicom's apical four-chamber clips of an adult."""
    import pydicom.examples
    from pydicom.data import get_testdata_file

    yield echokit.read(str(pydicom.examples.get_path("ybr_color")))
    whole = get_testdata_file("color3d_jpeg_baseline.dcm", download=False)
    if whole:
        yield echokit.read(str(whole))


def simulated(view: str, count: int) -> Iterator[Clip]:
    """Yield clips of the test's second, differently built simulator, where there is one."""
    sys.path.append(str(SUPPORT))  # a renderer of the tests alone, which no package holds
    try:
        renderer = import_module("second_renderer")
    except ModuleNotFoundError:
        return
    if view in renderer.VIEWS:
        cohort = renderer.SecondCohort(patients=count, views=(view,))
        yield from map(cohort.read, cohort.index())


def measure(path: Path, seed: int, most: int) -> list[Scored]:
    """Score held-out clips of a run and every other kind.

    Args:
        path: the run.
        seed: of what is random.
        most: largest number of held-out patients.
    """
    rng, model, run = np.random.default_rng(seed), echokit.load(path), open_run(path)
    loader, population = make_loader(run.recipe.data), run.population
    split = population.splits[model.task][0]
    held = sorted({r.patient for r in population.cohort.clips if split.side(r.patient) == "test"})
    chosen, scored = set(held[:most]), list[Scored]()
    refs = [ref for ref in population.cohort.clips if ref.patient in chosen]
    for ref in refs:
        clip, own = loader.read(ref), ref.view or ""
        if own in model.views:
            scored.append(score(model, "held-out", own, clip))
            scored += [score(model, kind, own, made) for kind, made in made_of(clip, rng)]
        for view in model.views:
            if view != own:
                scored.append(score(model, "wrong view", view, clip))
    for view in model.views:
        scored += [score(model, "non-echo video", view, c) for c in photographs(30, 200, rng)]
        scored += [score(model, "adult's heart (pydicom)", view, clip) for clip in adults()]
        scored += [score(model, "other simulator", view, c) for c in simulated(view, 20)]
    return scored


def table(scored: list[Scored]) -> list[dict[str, object]]:
    """Return one row for each kind: AUROC against held-out clips, mean over views, and alarms."""
    rows: list[dict[str, object]] = []
    usual = [one for one in scored if one.kind == "held-out"]
    for kind in dict.fromkeys(one.kind for one in scored):
        of_kind = [one for one in scored if one.kind == kind]
        areas = []
        for view in dict.fromkeys(one.view for one in of_kind if kind != "held-out"):
            no = [one.score for one in usual if one.view == view]
            yes = [one.score for one in of_kind if one.view == view]
            areas.append(roc_auc_score([0] * len(no) + [1] * len(yes), no + yes))
        rows.append(
            {
                "kind": kind,
                "clips": len(of_kind),
                "auroc": float(np.mean(areas)) if areas else None,
                "noticed": float(np.mean([one.noticed for one in of_kind])),
                "refused_by_preparation": float(np.mean([one.score == REFUSED for one in of_kind])),
                "needed": NEEDED.get(kind),
            }
        )
    return rows


def markdown(rows: list[dict[str, object]], run: Path, facts: list[dict[str, object]]) -> str:
    """Format the table as a page."""
    clips = min((int(str(row["clips"])) for row in facts), default=0)
    expected = max((float(str(row["expected_false_alarms"])) for row in facts), default=0.0)
    lines = [
        "# Clips unlike the training clips: what is noticed",
        "",
        f"Run `{run.name}`, {clips} training clips in the smallest view, threshold at "
        f"{expected:.1%} expected false alarms. Made by `python benchmarks/novelty/measure.py "
        "RUN`; synthetic cohort, so the figures check the machinery and are no clinical evidence. "
        "AUROC is the mean over views, against held-out patients' clips; *noticed* is the share "
        "that `echokit predict` rejects (of held-out clips: false alarms).",
        "",
        "| kind | clips | AUROC | noticed | of these refused by preparation |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in rows:
        area = "–" if row["auroc"] is None else f"{row['auroc']:.3f}"
        lines.append(
            f"| {row['kind']} | {row['clips']} | {area} | {row['noticed']:.0%} | "
            f"{row['refused_by_preparation']:.0%} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, help="folder for RESULTS.md and novelty.json")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patients", type=int, default=40)
    options = parser.parse_args()
    rows = table(measure(options.run, options.seed, options.patients))
    facts = json.loads((options.run / "novelty.json").read_text("utf-8"))["rows"]
    page = markdown(rows, options.run, facts)
    print(page)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "RESULTS.md").write_text(page, "utf-8")
        document = {"rows": rows, "detectors": facts}
        (options.out / "novelty.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    below = [row for row in rows if row["needed"] and float(str(row["auroc"])) < row["needed"]]  # type: ignore[operator]
    if below:
        raise SystemExit(f"Below what is needed: {', '.join(str(row['kind']) for row in below)}")


if __name__ == "__main__":
    main()
