"""Peak memory of a run when its cohort grows tenfold."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SMALL = [
    "views.use=['PSAX-P']",
    "data.views=['PSAX-P']",
    "data.files=0",
    "data.machine=reference",
    "data.size=96",
    "data.frames=26",
    "test=false",
    "crossfit.folds=0",
    "train.epochs=1",
    "train.retries=0",
    "compute.jobs=1",
    "sequences.n=4",
    "evaluate.bootstrap=50",
]
"""Settings that make a run small."""
QUICK = ["report.examples=0", "data.size=64", "data.frames=16", "data.frames_sd=1"]
"""Settings that make it smaller still."""
AT_MOST = 1.1
"""Goal of the larger run's peak memory, relative to the smaller one's."""


def measure(quick: bool) -> list[dict[str, Any]]:
    """Measure peak memory with a small cohort and with one ten times as large: one row."""
    patients, times = (12, 2) if quick else (40, 10)
    settings = [*SMALL, *(QUICK if quick else [])]
    small, large = _peak(settings, patients), _peak(settings, times * patients)
    return [
        {
            "name": f"peak memory of a run, {times * patients} patients",
            "against": f"{patients} patients",
            "ours_mb": round(large),
            "theirs_mb": round(small),
            "ratio": large / small,
            "spread": None,
            "goal": f"at most {AT_MOST:g}× the memory",
            "reached": large / small <= AT_MOST,
            "repeats": 1,
        }
    ]


def _peak(settings: list[str], patients: int) -> float:
    """Measure the peak resident memory of a run in a process of its own, in MiB."""
    settings = [*settings, f"data.patients={patients}"]
    with tempfile.TemporaryDirectory() as scratch:
        arguments = ["run", "ph-newborn", "--json", "--out", str(Path(scratch) / "run")]
        arguments += [argument for setting in settings for argument in ("--set", setting)]
        script = (
            "import resource, sys; from echokit.cli import app; app(sys.argv[1:], "
            "standalone_mode=False);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
        )
        json.loads(done.stdout)  # raises unless the run has finished
    return int(done.stderr.splitlines()[-1]) / 1024
