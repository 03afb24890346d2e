"""One small but complete run of the shipped recipe, made once for every end-to-end test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SMALL = [
    "data.patients=15",
    "data.size=64",
    "data.frames=16",
    "data.frames_sd=1",
    "prepare.resize.size=32",
    "split.held_out=0.4",
    "backbone.width=4",
    "train.epochs=2",
    "sequences.n=4",
    "evaluate.bootstrap=50",
]
"""The quick preset, smaller: every stage, every component, no accuracy to speak of."""

Echokit = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def echokit() -> Echokit:
    """Run the command in a process of its own, as a user does."""

    def call(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error::RuntimeWarning", "-m", "echokit", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=600,
            env=os.environ | {"COLUMNS": "200"},
        )

    return call


@pytest.fixture(scope="session")
def small_settings() -> list[str]:
    """What makes the quick preset small, as `--set` takes it."""
    return SMALL


@pytest.fixture(scope="session")
def small_run(echokit: Echokit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished small run."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    sets = [word for setting in SMALL for word in ("--set", setting)]
    done = echokit("run", "ph-newborn", *sets, "--out", folder, "--quiet")
    assert done.returncode == 0, done.stderr
    return folder
