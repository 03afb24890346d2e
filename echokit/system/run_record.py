"""What a run keeps on record of itself: `run.json`, and which step wrote which files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from echokit.errors import DamagedError
from echokit.system.checked import damaged, read_json, read_parquet
from echokit.system.digests import WEIGHTS_DIGEST, DamageWarning, Digests, read_sealed

BEGUN = ("recipe.toml", "environment.json")
"""Files that a run begins with."""
FILES = {
    "prepare": ("cohort.csv",),
    "train": ("models/**/split-*.json", "models/**/split-*.safetensors"),
    "crossfit": ("crossfit.parquet", "learning.json"),
    "predict": ("predictions.parquet", "fusion.parquet"),
    "fuse": ("fusion.json",),
    "evaluate": ("metrics.json",),
    "external": ("external.csv", "external.json", "external.parquet"),
    "calibrate": ("calibration.json",),
    "novelty": ("novelty.json", "novelty/**/*"),
    "explain": ("saliency/**/*",),
}
"""Step -> patterns of the files that it writes, whose digests are kept."""


def read_state(run: Path) -> dict[str, Any]:
    """Read the `run.json` of a run.

    Raises:
        DamagedError: it is damaged.
    """
    file = run / "run.json"
    state = {"synthetic": None, "finished": None} | read_sealed(file, "stages")
    rows = state["stages"]
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and {"name", "done"} <= set(row) for row in rows
    ):
        raise damaged(file, "its list of stages is not whole")
    return state


def changed_records(run: Path, digests: Digests, stages: Sequence[object]) -> set[str]:
    """Return which files that a run begins with were changed since, and say so.

    Args:
        run: the folder of the run.
        digests: those of its files; without any, it is said that nothing can be noticed.
        stages: the steps on record; a run without any has only begun.
    """
    problems = digests.problems(BEGUN)
    for name, problem in problems.items():
        if name == "recipe.toml":
            told = "was changed since the run was made: results that depend on it are made again."
        else:
            told = f"is damaged: {problem}. It is written again."
        warn(f"{run / name} {told}")
    if not digests.files and stages:
        warn(
            f"{run} was made before digests were kept: changes of its files until now cannot be "
            "noticed."
        )
    return set(problems)


def is_sound(run: Path, digests: Digests, step: str, result: str) -> bool:
    """Return True if the files of a step are as it wrote them; else warn of each.

    Args:
        run: the folder of the run.
        digests: those of its files.
        step: name of the step.
        result: its main file, which must be readable even if it has no digest.
    """
    problems = digests.problems(FILES.get(step, ()))
    for name, problem in problems.items():
        warn(f"{run / name} is damaged: {problem}. It is made again.")
    path = run / result
    if problems or result in digests.files or not path.is_file():
        return not problems
    try:
        read_json(path) if path.suffix == ".json" else read_parquet(path)
    except DamagedError as error:
        warn(f"{without_advice(error)}. It is made again.")
        return False
    return True


def weights_digests(run: Path) -> dict[str, str]:
    """Return weights -> digest, as training computed it; weights of earlier versions have none."""
    found = {}
    for path in run.glob("models/**/split-*.json"):
        if digest := read_json(path, "classes").get(WEIGHTS_DIGEST):
            found[path.with_suffix(".safetensors").relative_to(run).as_posix()] = str(digest)
    return found


def without_advice(error: DamagedError) -> str:
    """Return what is damaged and why, without what to type."""
    return str(error).partition(". Type `")[0]


def warn(message: str) -> None:
    """Warn of damage that is repaired."""
    warnings.warn(message, DamageWarning, stacklevel=3)
