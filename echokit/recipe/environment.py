"""Describe the software and the machine that a run is made with."""

from __future__ import annotations

import contextlib
import platform
import subprocess
from pathlib import Path

import echokit
from echokit.recipe.recipe import Recipe
from echokit.system.machine import machine, packages, version_of


def environment(recipe: Recipe) -> dict[str, object]:
    """Describe the versions, seed, commit and machine of a run, without names or addresses."""
    import torch  # not at the top: commands that only read a run need no torch

    return {
        "echokit": echokit.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "packages": {name: version_of(name) for name in packages()},
        "seed": recipe.seed,
        "recipe_digest": recipe.digest(),
        "commit": _commit(),
        "machine": machine(),
    }


def _commit() -> str | None:
    """Return the commit of echokit's source; None if it is not a git checkout."""
    source = Path(echokit.__file__).parent
    if not (source.parent / ".git").exists():
        return None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["git", "-C", str(source), "rev-parse", "HEAD"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603 - fixed words
        return answer.stdout.strip()
    return None
