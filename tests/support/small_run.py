"""One small but complete run of the shipped recipe, made once for all tests and processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from prefork import Commands

SMALL = [
    "data.patients=15",
    "data.size=64",
    "data.frames=16",
    "data.frames_sd=1",
    "data.machine=reference",
    "test.patients=6",
    "test.size=64",
    "test.frames=16",
    "test.frames_sd=1",
    "test.machine=reference",
    "prepare.resize.size=32",
    "split.held_out=0.4",
    "backbone.width=4",
    "backbone.weights=none",
    "crossfit.folds=0",
    "train.epochs=2",
    "train.lr=0.004",
    "train.retries=0",
    "compute.jobs=1",
    "sequences.n=4",
    "evaluate.bootstrap=50",
    "explain=captum-hirescam",
]
"""The quick preset, smaller: every stage, every component, no accuracy to speak of."""

Echokit = Callable[..., "subprocess.CompletedProcess[str]"]
Once = Callable[[str, Callable[[Path], None]], Path]


def _environment() -> dict[str, str]:
    return dict(os.environ) | {"COLUMNS": "200"}


@pytest.fixture(scope="session")
def echokit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echokit]:
    """Run the command in a process of its own, which finds the libraries already imported."""
    commands = Commands(tmp_path_factory.mktemp("commands"), _environment())

    def call(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return commands([str(word) for word in words], cwd or Path.cwd(), _environment())

    yield call
    commands.close()


@pytest.fixture(scope="session")
def fresh_echokit() -> Echokit:
    """Run the command in a new process that imports everything itself, as a user does."""

    def call(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error::RuntimeWarning", "-m", "echokit", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=600,
            env=_environment(),
        )

    return call


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Make a folder by its name; of several test processes the first makes it, the others wait."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)

    def make(name: str, write: Callable[[Path], None]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                write(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def small_settings() -> list[str]:
    """What makes the quick preset small, as `--set` takes it."""
    return SMALL


@pytest.fixture(scope="session")
def small_run(echokit: Echokit, once: Once) -> Path:
    """The folder of a finished small run; no test changes it."""

    def write(folder: Path) -> None:
        sets = [word for setting in SMALL for word in ("--set", setting)]
        done = echokit("run", "ph-newborn", *sets, "--out", folder, "--quiet")
        assert done.returncode == 0, done.stderr

    return once("small", write)
