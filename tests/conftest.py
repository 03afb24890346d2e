"""What the core's tests share: a tiny study in memory, a tiny network, a registry of their own."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import checked  # noqa: F401 - echokit, imported after it, is checked while tests run
import numpy as np
import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # figures repeat, and test processes share the cores
os.environ["ECHOKIT_SALT"] = "tests"  # no test makes a secret in the home of who runs it
os.environ["ECHOKIT_CONFIG"] = tempfile.mkdtemp(prefix="echokit-tests-")
os.environ["ECHOKIT_ARCHIVE_CACHE"] = f"{os.environ['ECHOKIT_CONFIG']}/archive"

from echokit import (
    Clip,
    ClipError,
    ClipRef,
    DataError,
    Prediction,
    Rejection,
    Saliency,
    Votes,
    hookimpl,
)
from echokit.executors import local
from echokit.plugins.registry import Registry, registry

pytest_plugins = ["small_run"]
atexit.register(shutil.rmtree, os.environ["ECHOKIT_CONFIG"], ignore_errors=True)

SLOW = (
    "bench/test_accuracy.py",
    "cli/test_plugins_check.py",
    "executors/test_local.py",
    "plugins/test_registry.py",
    "report/paper/test_figures.py",
    "report/sections/test_calibration.py",
    "report/sections/test_checks.py",
    "report/sections/test_fusion.py",
    "report/test_run_page.py",
    "runs/test_crossfit.py",
    "runs/test_explain.py",
    "runs/test_external.py",
    "runs/test_run.py",
    "runs/test_start.py",
    "studies/test_model.py",
    "test_public_api.py",
    "voting/test_view_classifier.py",
)
"""Files below `tests/echokit` whose tests train, build whole pages or start processes: `make check`
leaves them out."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of slow files."""
    for item in items:
        if item.path.as_posix().endswith(tuple(f"tests/echokit/{name}" for name in SLOW)):
            item.add_marker(pytest.mark.slow)


FRAMES, SIDE = 10, 16


def moving_square(grade: str, seed: int, frames: int = FRAMES, side: int = SIDE) -> Clip:
    """A bright square that wanders across for grade 0 and down for every other, in dim noise."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 40, (frames, side, side), dtype=np.uint8)
    structures = np.zeros_like(pixels)
    along, across = int(rng.integers(side)), int(rng.integers(side - 4))
    for t in range(frames):
        moving = (np.arange(4) + along + 2 * t) % side
        rows, columns = np.arange(across, across + 4), moving
        if grade != "0":
            rows, columns = columns, rows
        pixels[t][np.ix_(rows, columns)] = 240
        structures[t][np.ix_(rows, columns)] = 1
    return Clip(
        frames=pixels,
        fps=25.0,
        spacing=(0.5, 0.5),
        sector=np.ones((side, side), bool),
        structures=structures,
        structure_names=("square",),
    )


class TinyLoader:
    """A loader of moving squares that counts what is read; one clip of each patient and view."""

    reads: ClassVar[Counter[str]] = Counter()

    def __init__(self, source: str, patients: int, views: tuple[str, ...], frames: int) -> None:
        self.source, self.patients, self.views, self.frames = source, patients, views, frames

    def index(self) -> Iterable[ClipRef | Rejection]:
        if self.source.endswith("nowhere"):
            raise ClipError("there is nothing at nowhere")
        yield Rejection("notes.txt", "it is not a clip")
        for number in range(self.patients):
            for view in self.views:
                patient = f"p{number:02d}"
                labels = {"grade": "02"[number % 2]}
                yield ClipRef(f"{patient}-{view}", patient, view, labels, synthetic=True)

    def read(self, ref: ClipRef) -> Clip:
        TinyLoader.reads[ref.clip] += 1
        return moving_square(ref.labels.get("grade", "0"), seed(ref.clip), self.frames)

    def fingerprint(self, ref: ClipRef) -> str:
        return hashlib.sha256(f"{ref.clip}{self.frames}".encode()).hexdigest()


def seed(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


def tiny(
    source: str, *, patients: int = 10, views: Iterable[str] = ("A4C",), frames: int = FRAMES
) -> TinyLoader:
    """Moving squares in memory.

    Args:
        source: ignored.
        patients: how many.
        views: views of each.
        frames: of each clip.
    """
    return TinyLoader(source, patients, tuple(views), frames)


def tiny3d(num_classes: int, in_channels: int, *, width: int = 8, dropout: float = 0.0) -> Any:
    """Two 3D convolutions and a linear layer."""
    from torch import nn

    return nn.Sequential(
        nn.Conv3d(in_channels, width, (3, 5, 5), padding=(0, 2, 2), stride=(1, 2, 2)),
        nn.BatchNorm3d(width),
        nn.ReLU(),
        nn.Conv3d(width, 2 * width, (2, 3, 3)),
        nn.ReLU(),
        nn.AdaptiveMaxPool3d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(2 * width, num_classes),
    )


def tiny_flip(*, axis: int = 1) -> Any:
    """Flip frames along an axis."""

    def flip(clip: Clip, rng: Any) -> Clip:
        from dataclasses import replace

        return replace(clip, frames=np.flip(clip.frames, axis))

    return flip


def tiny_vote(*, weight: float = 1.0) -> Any:
    """Mean probability; the confidence is that of the label that wins."""

    def vote(votes: Votes) -> Prediction:
        mean = votes.probabilities.mean(0)
        return Prediction(votes.classes[int(mean.argmax())], float(mean.max()), mean)

    return vote


class TinyLearner:
    """Always says the commonest label of those it was fitted on; keeps who they were."""

    def __init__(self) -> None:
        self.label = ""

    def fit(self, votes: Iterable[Votes], labels: Iterable[str]) -> None:
        self.label = Counter(labels).most_common()[0][0]
        TinyPlugin.fitted.append(len(list(votes)))

    def __call__(self, votes: Votes) -> Prediction:
        if not self.label:
            raise DataError("it has learned nothing yet")
        sure = np.array([float(name == self.label) for name in votes.classes])
        return Prediction(self.label, 1.0, sure)


def tiny_map(*, power: float = 1.0) -> Any:
    """The sequence itself as its own saliency."""

    def explain(model: Any, sequence: Any, target: int) -> Saliency:
        TinyPlugin.targets.append(target)
        values = sequence[0].numpy().clip(0, 1).astype(np.float32) ** power
        return Saliency(values, target, "tiny-map")

    return explain


class TinyPlugin:
    """One component of every kind; keeps which classes were explained."""

    targets: ClassVar[list[int]] = []
    fitted: ClassVar[list[int]] = []

    def __init__(self, recipe: Path) -> None:
        self.recipe = recipe

    @hookimpl
    def register_loaders(self, register: Any) -> None:
        register("tiny", tiny)

    @hookimpl
    def register_transforms(self, register: Any) -> None:
        register("tiny-flip", tiny_flip)

    @hookimpl
    def register_backbones(self, register: Any) -> None:
        register("tiny3d", tiny3d)

    @hookimpl
    def register_aggregators(self, register: Any) -> None:
        register("tiny-vote", tiny_vote)

    @hookimpl
    def register_explainers(self, register: Any) -> None:
        register("tiny-map", tiny_map)

    @hookimpl
    def register_recipes(self, register: Any) -> None:
        register("tiny-study", self.recipe)


RECIPE = """
name = "tiny-study"
title = "Tiny"
seed = 3
default_preset = "fast"
[data]
use = "tiny"
source = ""
views = ["A4C", "PLAX"]
[study]
use = "tiny"
[views]
use = ["A4C", "PLAX"]
alias = { CV = "A4C" }
[tasks.severity]
column = "grade"
labels = ["none", "severe"]
map = { "0" = "none", "1" = "drop", "2" = "severe" }
[split]
splits = 2
held_out = 0.4
[prepare.flip]
use = "tiny-flip"
axis = 1
[sequences]
n = 3
k = 4
[backbone]
use = "tiny3d"
width = 4
[train]
epochs = 3
n = 2
[aggregate]
view.use = "tiny-vote"
subject.use = "tiny-vote"
[explain]
use = "tiny-map"
[presets.fast]
train.epochs = 1
evaluate.bootstrap = 20
[presets.slow]
backbone = { use = "tiny3d", width = 6, dropout = 0.1 }
"""


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """The same for PyTorch, which may have been imported before."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The process's registry, with no installed plugin in it."""
    monkeypatch.setattr("echokit.plugins.registry.entry_points", lambda group: [])
    registry.cache_clear()
    yield registry()
    registry.cache_clear()


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    """A recipe of tiny components, as a file that a test may change."""
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE, "utf-8")
    return path


@pytest.fixture
def tiny_plugin(empty_registry: Registry, recipe_file: Path) -> Registry:
    """The process's registry, with the tiny plugin and the executor of this machine in it."""
    TinyLoader.reads, TinyPlugin.targets, TinyPlugin.fitted = Counter(), [], []
    empty_registry.add(local, "echokit-cardiac:executors")
    empty_registry.add(TinyPlugin(recipe_file), "echokit-tiny:tiny", "1.0")
    return empty_registry


@pytest.fixture
def parts() -> SimpleNamespace:
    """The tiny factories, for tests that need no registry."""
    return SimpleNamespace(
        loader=tiny,
        TinyLoader=TinyLoader,
        TinyPlugin=TinyPlugin,
        TinyLearner=TinyLearner,
        backbone=tiny3d,
        flip=tiny_flip,
        vote=tiny_vote,
        map=tiny_map,
        square=moving_square,
    )


@pytest.fixture
def prepared(tmp_path: Path) -> Any:
    """A function that stores moving squares and returns the store and its training items."""

    def make(clips: int = 8, frames: int = FRAMES, name: str = "store.zarr") -> Any:
        from echokit.clips.preparation import Preparation, prepare
        from echokit.clips.sequences import Item
        from echokit.clips.store import Store

        loader = TinyLoader("", clips, ("A4C",), frames)
        refs = [ref for ref in loader.index() if isinstance(ref, ClipRef)]
        store = Store(tmp_path / name)
        items = [
            Item(ref.clip, key, store.length(key), int(ref.labels["grade"] != "0"))
            for ref, key in prepare(loader, refs, Preparation((), "as they are"), store)
        ]
        return store, items

    return make
