"""Name networks, their files and seeds, and tell which are trained already."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from echokit.clips.sequences import digest
from echokit.errors import DamagedError, UsageError
from echokit.system.checked import read_json
from echokit.system.digests import CHANGED, WEIGHTS_DIGEST, DamageWarning, file_digest

WEIGHTS = ".safetensors"
"""Suffix of the file of trained weights; what they were trained on stands in `.json` beside it."""


@dataclass(frozen=True, slots=True)
class Job:
    """The name of one network: its task, approach, view and split, and for inner ones the fold."""

    task: str
    approach: str
    view: str
    split: int
    fold: int | None = None
    """Fold of the training patients that an inner network does not learn from; None for a network
    that learns from all of them."""

    @property
    def stem(self) -> Path:
        """Path of the network's files below `models/`, without a suffix."""
        inner = "" if self.fold is None else f"-fold-{self.fold}"
        return Path(self.task, self.approach, self.view, f"split-{self.split:02d}{inner}")

    @property
    def place(self) -> dict[str, str | int]:
        """Columns that name the network in the table of predictions."""
        return {
            "task": self.task,
            "approach": self.approach,
            "view": self.view,
            "split": self.split,
        }

    def __str__(self) -> str:
        inner = "" if self.fold is None else f", without fold {self.fold} of its training patients"
        return f"{self.task}, {self.view}, {self.approach}, split {self.split}{inner}"


@runtime_checkable
class Labelled(Protocol):
    """A labelled training example; its `repr` tells it from every other."""

    @property
    def label(self) -> int:
        """Index of the label."""


def device_of(setting: str) -> torch.device:
    """Return the device that `auto`, `cpu` or `cuda` means on this machine.

    Raises:
        UsageError: the setting is `cuda` and the machine has no CUDA device.
    """
    if setting == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "compute.device is cuda, and there is no CUDA device: --set compute.device=cpu."
        )
    return torch.device("cuda" if setting != "cpu" and torch.cuda.is_available() else "cpu")


def job_seed(seed: int, job: Job) -> int:
    """Derive the seed of one job from the run's seed and the job's name, whatever ran before."""
    return digest(seed, *(v for v in asdict(job).values() if v is not None)) % 2**32


def data_digest(items: Sequence[Labelled]) -> str:
    """Compute a digest of the training examples: clips, their content and their labels."""
    return f"{digest(*items):016x}"


def weights_problem(weights: Path) -> str:
    """State that trained weights are not what training wrote; empty if they are.

    Weights of earlier versions, whose description has no digest, are taken as they are.
    """
    description = weights.with_suffix(".json")
    if not description.is_file():
        return ""
    expected = read_json(description, "classes").get(WEIGHTS_DIGEST)
    return "" if expected in (None, file_digest(weights)) else CHANGED


def is_trained(job: Job, folder: Path, recipe_digest: str, items: Sequence[Labelled]) -> bool:
    """Return True if this job's network exists and was trained by this recipe on these examples.

    When the cohort changes, patients change sides of a split. A network that learned from a patient
    must not be evaluated on that patient, so it is trained again.
    """
    description = (folder / job.stem).with_suffix(".json")
    weights = description.with_suffix(WEIGHTS)
    if not description.is_file() or not weights.is_file():
        return False
    try:
        recorded = read_json(description, "recipe_digest")
        problem = weights_problem(weights)
    except DamagedError as error:
        warnings.warn(
            f"{str(error).partition('. Type `')[0]}. Its network is trained again.",
            DamageWarning,
            stacklevel=2,
        )
        return False
    expected = {"recipe_digest": recipe_digest, "data_digest": data_digest(items)}
    if any(recorded.get(name) != value for name, value in expected.items()):
        return False
    if problem:
        warnings.warn(
            f"{weights} is damaged: {problem}. It is trained again.", DamageWarning, stacklevel=2
        )
    return not problem
