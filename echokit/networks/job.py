"""Which network is trained, where, on what, and whether it is there already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from echokit.clips.sequences import digest
from echokit.errors import UsageError


@dataclass(frozen=True, slots=True)
class Job:
    """Which network: one for each task, approach, view and split, and its inner ones."""

    task: str
    approach: str
    view: str
    split: int
    fold: int | None = None
    """The fold of the training patients that an inner network leaves out; None for the network
    itself, which learns from all of them."""

    @property
    def stem(self) -> Path:
        """Where its files stand below `models/`, without a suffix."""
        inner = "" if self.fold is None else f"-fold-{self.fold}"
        return Path(self.task, self.approach, self.view, f"split-{self.split:02d}{inner}")

    @property
    def place(self) -> dict[str, Any]:
        """Where its predictions belong: the columns of a table that name it."""
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
    """One thing to learn from; its `repr` tells it apart from every other."""

    @property
    def label(self) -> int:
        """Index of its label."""


def device_of(asked: str) -> torch.device:
    """The device that `auto`, `cpu` or `cuda` means here.

    Raises:
        UsageError: CUDA is asked for and there is none.
    """
    if asked == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "compute.device is cuda, and there is no CUDA device: --set compute.device=cpu."
        )
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")


def job_seed(seed: int, job: Job) -> int:
    """The seed of one job: it depends on the run's seed and the job alone, not on the order."""
    return digest(seed, *(v for v in asdict(job).values() if v is not None)) % 2**32


def data_digest(items: Sequence[Labelled]) -> str:
    """A text that tells apart what networks learn from: clips, their content and their labels."""
    return f"{digest(*items):016x}"


def is_trained(job: Job, folder: Path, recipe_digest: str, items: Sequence[Labelled]) -> bool:
    """Whether the network of this job and recipe is there, and learned from these very clips.

    Patients change sides when the cohort changes: one who learned from them must not judge them.
    """
    described = (folder / job.stem).with_suffix(".json")
    if not described.is_file() or not described.with_suffix(".safetensors").is_file():
        return False
    there = json.loads(described.read_text("utf-8"))
    wanted = {"recipe_digest": recipe_digest, "data_digest": data_digest(items)}
    return all(there.get(name) == value for name, value in wanted.items())
