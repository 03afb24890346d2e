"""Look ahead at a run: what can be known of it before a pixel is read and a network is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from echokit.clips.labels import Labelled
from echokit.clips.splits import Split
from echokit.components.cohorts import (
    fold_patients,
    gather_cohort,
    label_tasks,
    split_cohort,
    strata,
)
from echokit.components.loading import make_loader
from echokit.errors import CohortError, EchokitError, UsageError
from echokit.recipe import TOGETHER, Recipe, load_recipe
from echokit.system.checked import read_json
from echokit.system.machine import has_no_gpu
from echokit.types import ClipRef, Cohort

FRAMES = 100
"""Frames of a clip that the estimate of the disk assumes: those of three seconds."""
STORED = 0.4
"""Bytes that a prepared pixel takes, measured on ultrasound."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run will do."""

    cohort: Cohort
    """Clips that its index lists; some may turn out to be unreadable."""
    labels: Mapping[str, Mapping[str, int]]
    """Task -> label -> patients."""
    splits: Mapping[str, Sequence[tuple[int, int]]]
    """Task -> training and held-out patients of each split."""
    networks: int
    """Networks of held-out patients, and of feature fusion."""
    inner_networks: int
    """Networks of cross-fitting."""
    sequences: int
    """Sequences that all networks are trained on."""
    minutes: float | None
    """Minutes of training, by a run of the same network beside it; None without one."""
    megabytes: float
    """Disk that prepared clips take, at `FRAMES` a clip."""

    @property
    def reasons(self) -> dict[str, int]:
        """Reason -> files and clips that are left out for it, most first."""
        return dict(Counter(one.reason for one in self.cohort.rejected).most_common())

    def to_json(self) -> dict[str, object]:
        """Return all of it in plain values."""
        return {
            "clips": len(self.cohort.clips),
            "patients": len(self.cohort.patients),
            "rejected": len(self.cohort.rejected),
            "reasons": self.reasons,
            "views": dict(Counter(ref.view for ref in self.cohort.clips)),
            "labels": {task: dict(counts) for task, counts in self.labels.items()},
            "splits": {task: [list(pair) for pair in pairs] for task, pairs in self.splits.items()},
            "networks": self.networks,
            "inner_networks": self.inner_networks,
            "training_sequences": self.sequences,
            "training_minutes": self.minutes,
            "store_megabytes": round(self.megabytes, 1),
        }


def look_ahead(recipe: Recipe, beside: Path | None = None) -> Outlook | None:
    """Refuse a run that cannot be carried out, as far as the index of its clips tells.

    Args:
        recipe: the resolved recipe.
        beside: folder of other runs, by whose speed the minutes are estimated.

    Returns:
        What the run will do; None if a network is to find the views of its clips.

    Raises:
        UsageError: a GPU is asked for, and there is none.
        CohortError: no clip can be used, a label has too few patients to be split, or a network
            would have no training clip of a label.
    """
    if recipe.compute.device == "cuda" and has_no_gpu():
        raise UsageError(
            "compute.device is cuda, and there is no CUDA device: --set compute.device=cpu."
        )
    if recipe.views.classifier:
        return None
    cohort = gather_cohort(recipe, make_loader(recipe.data).index())
    labelled = label_tasks(cohort, recipe)
    splits = {task: split_cohort(cohort, labels, recipe) for task, labels in labelled.items()}
    networks, inner, clips = 0, 0, 0
    for task, labels in labelled.items():
        for split in splits[task]:
            folds = fold_patients(split, strata(labels), recipe)
            for side in (split, *folds):
                counts = list(_training_clips(cohort.clips, labels, side, recipe))
                networks += len(counts) * (side is split)
                inner += len(counts) * (side is not split)
                clips += sum(counts)
    approaches = len(recipe.enabled_approaches)
    fused = approaches * sum(map(len, splits.values())) * recipe.feature_fusion.enabled
    sequences = clips * approaches * recipe.train.epochs * recipe.train.n
    pace = _seconds_per_sequence(recipe, beside) if beside else None
    return Outlook(
        cohort=cohort,
        labels={task: Counter(labels.patients.values()) for task, labels in labelled.items()},
        splits={t: [(len(s.train), len(s.test)) for s in found] for t, found in splits.items()},
        networks=networks * approaches + fused,
        inner_networks=inner * approaches,
        sequences=sequences,
        minutes=None if pace is None else round(pace * sequences / 60 / recipe.compute.jobs, 1),
        megabytes=len(cohort.clips) * FRAMES * _side(recipe) ** 2 * STORED / 2**20,
    )


def _training_clips(
    clips: Iterable[ClipRef], labels: Labelled, split: Split, recipe: Recipe
) -> Iterator[int]:
    """Count the training clips of each network of a split.

    Raises:
        CohortError: a network has none of some label.
    """
    training = [ref for ref in clips if ref.clip in labels.clips and ref.patient in split.train]
    present = {ref.view for ref in clips} | {TOGETHER}
    for view in recipe.views.networks:
        if view not in present:
            continue
        own = [labels.clips[ref.clip] for ref in training if view in (ref.view, TOGETHER)]
        if missing := [name for name in labels.classes if name not in own]:
            named = "" if view == TOGETHER else f" of the view {view}"
            raise CohortError(
                f"In split {split.index} no training clip{named} is labelled "
                f"{' or '.join(missing)} (labels from the column {labels.column!r}). Add patients, "
                "use fewer splits or folds (split.splits, crossfit.folds), or leave "
                f"{'the label out of the task' if not named else f'{view} out of views.use'}."
            )
        yield len(own)


def _side(recipe: Recipe) -> int:
    """Return the side in pixels of prepared frames, by the option `size` of a transform."""
    sizes = [slot.options.get("size") for slot in recipe.prepare.values()]
    return next((size for size in reversed(sizes) if isinstance(size, int)), 224)


def _seconds_per_sequence(recipe: Recipe, beside: Path) -> float | None:
    """Return the seconds that a training sequence took in runs of the same networks and clips."""
    seconds, sequences = 0.0, 0
    for path in sorted(beside.glob("*/recipe.toml")):
        try:
            other = load_recipe(str(path))
            told = [read_json(file) for file in (path.parent / "models").rglob("split-*.json")]
            if _pace(other) == _pace(recipe):
                seconds += sum(epoch["seconds"] for one in told for epoch in one["history"])
                drawn = (one["clips"] * len(one["history"]) for one in told)
                sequences += sum(drawn) * other.train.n
        except (EchokitError, OSError, ValueError, KeyError, TypeError):
            continue  # a run that cannot be read tells nothing
    return seconds / sequences if sequences else None


def _pace(recipe: Recipe) -> object:
    """Return what the time of a training sequence depends on."""
    backbones = [recipe.of_approach(name).backbone for name in recipe.enabled_approaches]
    return backbones, recipe.sequences.k, _side(recipe), recipe.augment, recipe.train.scales
