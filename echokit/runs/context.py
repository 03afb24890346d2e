"""The value of a run, which every step takes and which users read results from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Literal

import pandas as pd
from torch import Tensor, nn
from torch.utils.data import Dataset

import echokit
from echokit.clips.store import Store
from echokit.components.loading import make_loader
from echokit.components.networks import load_model
from echokit.components.parts import Parts, make_parts
from echokit.components.slots import make_sequence_spec, subject_rule
from echokit.engines.engine import Precision
from echokit.errors import UsageError, nearest
from echokit.folder import RunFolder
from echokit.interfaces import Aggregator, Loader
from echokit.networks.job import WEIGHTS, Job
from echokit.networks.sampling import TrainingClips, VotingClips
from echokit.recipe import TOGETHER, Recipe
from echokit.runs.population import Population
from echokit.runs.results import history_frame, metrics_frame
from echokit.system.checked import read_json
from echokit.system.progress import Progress, Silent
from echokit.voting.table import PredictionTable


@dataclass(frozen=True, repr=False)
class Run:
    """A run: its recipe, its folder, its clips, and the results that its steps wrote.

    >>> run = echokit.open_run("runs/ph-newborn")
    >>> run
    Run(ph-newborn, quick, runs/ph-newborn, finished)
    >>> job = run.job("A4C")
    >>> network = run.network(job)                                # a torch.nn.Module
    >>> sequence, label = run.dataset(job.split, "test", "A4C")[0]
    >>> tuple(sequence.shape), tuple(network(sequence[None]).shape)
    ((1, 12, 32, 32), (1, 3))
    """

    recipe: Recipe
    folder: RunFolder
    found: Population | Callable[[], Population]
    """The population, or a function that finds it when it is first needed."""
    progress: Progress = field(default_factory=Silent)

    @cached_property
    def population(self) -> Population:
        """The cohort, prepared, labelled and split."""
        return self.found() if callable(self.found) else self.found

    @cached_property
    def parts(self) -> Mapping[str, Parts]:
        """Approach -> its components, made once."""
        return {name: make_parts(self.recipe, name) for name in self.recipe.enabled_approaches}

    @cached_property
    def store(self) -> Store:
        """Prepared clips, kept open."""
        return Store(self.folder.store)

    @cached_property
    def loader(self) -> Loader:
        """Reads the clips of the cohort from their source."""
        return make_loader(self.recipe.data)

    @property
    def held_out(self) -> PredictionTable:
        """Predictions of held-out patients, as the step `predict` wrote them."""
        return PredictionTable.read(self.folder.predictions)

    @property
    def crossfit(self) -> PredictionTable:
        """Predictions of training patients by inner networks; empty where the run makes none."""
        return PredictionTable.read_if_there(self.folder.crossfit)

    def weights(self, job: Job) -> Path:
        """The file of a job's trained weights."""
        return (self.folder.models / job.stem).with_suffix(WEIGHTS)

    def network(self, job: Job) -> nn.Module:
        """Load the trained network of a job, ready to predict.

        Raises:
            UsageError: the network is not trained yet.
        """
        weights = self.weights(job)
        if not weights.is_file():
            raise UsageError(f"{self.folder.path} holds no trained network for {job}.")
        classes = len(read_json(weights.with_suffix(".json"))["classes"])
        return load_model(self.parts[job.approach].recipe, classes, weights)

    def subject_rule(self, task: str, approach: str, split: int) -> Aggregator:
        """Make the voting rule of views, fitted on a split's training patients if it learns.

        Raises:
            UsageError: the rule learns, and there are no training patients.
        """

        def training() -> PredictionTable:
            return self.crossfit.where(task=task, approach=approach, split=split)

        return subject_rule(self.recipe.aggregate.subject, self.population.classes(task), training)

    def job(
        self,
        view: str | None = None,
        split: int = 0,
        task: str | None = None,
        approach: str | None = None,
    ) -> Job:
        """Name one network of the run.

        Args:
            view: the view whose clips it takes; None takes the first.
            split: number of the split.
            task: None takes the first.
            approach: None takes the first.

        Raises:
            UsageError: the run has no such view, split, task or approach.
        """
        recipe = self.recipe
        view = _one_of(recipe.views.networks, view, "view")
        task = _one_of(tuple(recipe.enabled_tasks), task, "task")
        approach = _one_of(recipe.enabled_approaches, approach, "approach")
        if not 0 <= split < recipe.split.splits:
            raise UsageError(f"There is no split {split}: the run has {recipe.split.splits}.")
        return Job(task, approach, view, split)

    def dataset(
        self,
        split: int = 0,
        side: Literal["train", "test"] = "train",
        view: str | None = None,
        task: str | None = None,
        approach: str | None = None,
    ) -> Dataset[tuple[Tensor, int]]:
        """Return labelled sequences as a PyTorch dataset: `((1, k, H, W), index of the label)`.

        Args:
            split: number of the split.
            side: `train` gives a random sequence of each training clip, augmented, anew each time;
                `test` gives every voting sequence of each held-out clip.
            view: the view whose clips are taken; None takes those of all views.
            task: the task whose labels they have; None takes the first.
            approach: how long sequences are; None takes the first.
        """
        if side not in ("train", "test"):
            raise UsageError(f"There is no side {side!r}: take 'train' or 'test'.")
        job = self.job(view, split, task, approach)
        items = self.population.items(job if view else replace(job, view=TOGETHER), side)
        parts = self.parts[job.approach]
        if side == "test":
            return VotingClips(items, self.store, parts.voting)
        return TrainingClips(items, self.store, make_sequence_spec(parts.recipe, training=True))

    @property
    def metrics(self) -> pd.DataFrame:
        """One row for each task, approach and set of views; each metric with its spread.

        Columns: `task`, `approach`, `views`, `n_splits`, `n_subjects`, `n_predictions`; for each
        metric its mean over splits, `<metric>_sd`, its deviation over splits, and `<metric>_low`
        and `<metric>_high`, its 95 % bootstrap interval over subjects.
        """
        return metrics_frame(self._result("metrics.json"))

    @property
    def predictions(self) -> pd.DataFrame:
        """One row for each held-out sequence, clip and subject; see `predictions.parquet`."""
        self._result("predictions.parquet")
        return self.held_out.frame

    @property
    def external_metrics(self) -> pd.DataFrame:
        """The metrics on the external test cohort, in the columns of `metrics`.

        Every patient is predicted by the networks of each split; figures are means over splits.
        """
        return metrics_frame(self._external("external.json"))

    @property
    def external_predictions(self) -> pd.DataFrame:
        """One row for each sequence, clip and subject of the external test cohort, and split."""
        return PredictionTable.read(self._external("external.parquet")).frame

    @property
    def history(self) -> pd.DataFrame:
        """One row for each network and epoch: loss, accuracy, learning rate and seconds."""
        return history_frame(self.folder.models)

    def report(self) -> Path:
        """Build the page of the report from the results and return its path."""
        from echokit.report.run_page import build_run_report

        return build_run_report(self.folder.path)

    def model(
        self,
        task: str | None = None,
        engine: str = "auto",
        precision: Precision = "exact",
    ) -> echokit.Model:
        """Load the model of the run to predict studies; see `echokit.load`."""
        return echokit.load(self.folder.path, task, engine, precision)

    def export(
        self,
        to: str = "onnx",
        out: str | PathLike[str] = "bundles",
        task: str | None = None,
        *,
        sign: str | PathLike[str] | None = None,
    ) -> Path:
        """Write the networks as a bundle; see `echokit.export_run`."""
        path, listener = self.folder.path, self.progress
        return echokit.export_run(path, to, out, task, sign=sign, progress=listener)

    def _external(self, name: str) -> Path:
        if self.recipe.test is None:
            raise UsageError(
                f"{self.folder.path} has no external test cohort. Make a run with --test-data, or "
                f"evaluate this one: echokit evaluate {self.folder.path} DATA"
            )
        return self._result(name)

    def _result(self, name: str) -> Path:
        path = self.folder.path / name
        if not path.is_file():
            raise UsageError(
                f"{self.folder.path} has no {name} yet. Finish it with "
                f"`echokit run --resume {self.folder.path}`."
            )
        return path

    def __repr__(self) -> str:
        state = "finished" if self.folder.state["finished"] else "not finished"
        words = (self.recipe.name, self.recipe.preset, self.folder.path, state)
        return f"Run({', '.join(str(word) for word in words if word)})"

    def _repr_html_(self) -> str:
        note = "" if not self.folder.state["synthetic"] else "Synthetic cohort. "
        table: str = self.metrics.round(3).to_html(notebook=True, index=False)
        return f"<p>{self!r}</p>{table}<p><small>{note}Not a medical device.</small></p>"


def _one_of(known: tuple[str, ...], name: str | None, kind: str) -> str:
    """Check a name and return it; None stands for the first."""
    chosen = known[0] if name is None else name
    if chosen not in known:
        raise UsageError(f"The run has no {kind} {chosen!r}: {nearest(chosen, known)}")
    return chosen
