"""Several small networks, as `quick` trains them, on one device at the same time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from echokit.executors.local import local
from echokit.runs.jobs import Work
from echokit.system.progress import Tick
from echokit_benchmarks.gpu.loops import Loop, samples_per_second
from echokit_benchmarks.gpu.rows import Case, Row, measure_cases
from echokit_benchmarks.gpu.works import prepared_works, rate_of, with_compute

QUICK = ["split.splits=8", "data.patients=40", "data.size=96", "train.epochs=6", "train.n=40"]
TINY = ["split.splits=2", "data.patients=9", "data.frames=14", "data.size=64",
        "train.epochs=2", "train.n=1", "backbone.width=4"]  # fmt: skip
UNIT = "samples/s"


def measure(out: Path, seconds: float, device: torch.device, tiny: bool) -> list[Row]:
    """Measure trainings side by side; write `sharing.json`."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        works = prepared_works("quick", TINY if tiny else QUICK, place)
        cases = sharing_cases(works, place, device, tiny)
        return measure_cases("sharing", cases, out / "sharing.json", seconds, device)


def sharing_cases(
    works: Sequence[Work], scratch: Path, device: torch.device, tiny: bool
) -> list[Case]:
    """List the cases: processes side by side, and loops that need fewer launches."""
    recipe = works[0].recipe
    side = recipe.prepare["resize"].options["size"]

    def bare(loop: Loop) -> Callable[[], tuple[float, str]]:
        steps = 2 if tiny else 400
        return lambda: (samples_per_second(recipe, loop, device, side, steps, seconds=4), "")

    cases = [
        Case(_name(jobs), UNIT, partial(_side_by_side, works, scratch, jobs), _name(1) * (jobs > 1))
        for jobs in ((1, 2) if tiny else (1, 4, 8))
    ]
    cases += [
        Case("bare loop, bf16", UNIT, bare(Loop())),
        Case("bare loop, fp32", UNIT, bare(Loop(bf16=False)), "bare loop, bf16"),
    ]
    if device.type == "cuda":
        graphs = Loop(mode="reduce-overhead")
        name = "bare loop, bf16, compiled with CUDA graphs"
        cases.append(Case(name, UNIT, bare(graphs), "bare loop, bf16"))
    return cases


def _name(jobs: int) -> str:
    return "one network" if jobs == 1 else f"{jobs} networks at once"


def _side_by_side(works: Sequence[Work], scratch: Path, jobs: int) -> tuple[float, str]:
    """Train as many networks as jobs; return the sum of their rates after their first epoch.

    Starting the processes is not counted; the note has the rate of the whole, with it.
    """
    changed = [with_compute(work, scratch / f"jobs-{jobs}", jobs=jobs) for work in works[:jobs]]
    items = {work.job.stem.as_posix(): work for work in changed}
    started = time.perf_counter()
    local(jobs=jobs)(carry_out, items, {key: work.samples for key, work in items.items()}, _still)
    whole = sum(work.samples for work in changed) / (time.perf_counter() - started)
    rates = [rate_of(work)[0] for work in changed]
    return sum(rates), f"{whole:.3g} with the start of the processes"


def carry_out(work: Work, tick: Tick) -> None:
    """Train one network; a module-level function, because another process must import it."""
    work(tick)


def _still(done: int) -> None:
    """Tick for nobody."""
