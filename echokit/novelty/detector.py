"""Decide whether a clip is unlike every training clip of its view, and say in what.

Two distances are taken: of the clip's frames, described without a network, and of the network's
features. Each is compared with that of training clips that were left out when it was fitted; the
larger one, in spreads above the usual, is the clip's score. The threshold lies where 2 % of
left-out training clips are beyond it, with both distances together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64

from echokit.errors import UsageError
from echokit.novelty.distance import (
    Normal,
    Scale,
    fit_normal,
    fit_scale,
    left_out_distances,
    rank_threshold,
)
from echokit.novelty.statistics import STATISTICS
from echokit.system.checked import damaged
from echokit.system.files import whole_file

LEVEL = 0.02
"""Share of training clips that may be beyond the threshold."""
LEAST = 20
"""Training clips from which on a detector is fitted."""
FAR = 3.0
"""Spreads from the median at which a statistic is named in a reason."""
SUFFIX = ".safetensors"
MISSING = "features"
"""Part of a detector that may be missing."""


@dataclass(frozen=True, slots=True)
class Part:
    """One distance, and what is usual of it."""

    normal: Normal
    scale: Scale

    def score(self, row: Float[np.ndarray, " d"]) -> float:
        """Compute how many spreads a clip's distance lies above the usual one."""
        return float(self.scale(self.normal.distance(row[None]))[0])


@dataclass(frozen=True, slots=True)
class Verdict:
    """How unlike its training clips a clip is."""

    score: float
    """In spreads above the usual distance; the larger of both distances."""
    threshold: float
    """Score beyond which a clip is not judged."""
    statistics: float
    """Score of the frames."""
    features: float | None
    """Score of the network's features; None where they are not known."""
    reason: str
    """In what it is unlike them; empty below the threshold."""

    @property
    def is_novel(self) -> bool:
        """True beyond the threshold."""
        return self.score > self.threshold

    def as_json(self) -> dict[str, Any]:
        """Convert to plain values."""
        return asdict(self) | {"is_novel": self.is_novel}


@dataclass(frozen=True, slots=True)
class Detector:
    """What is usual of the training clips of one view."""

    view: str
    statistics: Part
    features: Part | None
    """None where the network's features cannot be read."""
    threshold: float
    facts: Mapping[str, Any]
    """How it was fitted: number of clips, expected false alarms, and where left-out clips' features
    came from."""

    def judge(
        self, statistics: Float[np.ndarray, " d"], features: Float[np.ndarray, " F"] | None
    ) -> Verdict:
        """Compare a clip with the training clips.

        Args:
            statistics: what `describe` returns for the clip.
            features: mean features of its sequences; None where they are not known.
        """
        of_frames = self.statistics.score(statistics)
        of_network = None
        if self.features is not None and features is not None:
            of_network = self.features.score(features)
        score = of_frames if of_network is None else max(of_frames, of_network)
        reason = ""
        if score > self.threshold:
            found = []
            if of_frames > self.threshold:
                found.append(f"frame statistics ({self._unusual(statistics)})")
            if of_network is not None and of_network > self.threshold:
                found.append("features of the network")
            reason = f"unlike every clip the {self.view} network learned from: "
            reason += " and ".join(found)
        return Verdict(score, self.threshold, of_frames, of_network, reason)

    def _unusual(self, row: Float[np.ndarray, " d"]) -> str:
        """Name the groups of statistics that lie furthest from the usual, two at most."""
        away = np.abs(self.statistics.normal.standardise(row[None])[0])
        furthest: dict[str, float] = {}
        for statistic, distance in zip(STATISTICS, away, strict=True):
            furthest[statistic.group] = max(furthest.get(statistic.group, 0.0), float(distance))
        ranked = sorted(furthest, key=lambda group: -furthest[group])
        named = [group for group in ranked if furthest[group] >= FAR][:2]
        return ", ".join(named) or "their combination"


@dataclass(frozen=True, slots=True)
class TrainingFeatures:
    """Features of the training clips of one view, and distances of those left out."""

    rows: Float[np.ndarray, "n F"]
    """Of the network that predicts studies."""
    left_out: Float64[np.ndarray, " n"]
    """Distance of each clip from clips other than its own patient's."""
    source: str
    """`inner networks` or `own network`: whose features the distances are of."""


def fit_detector(
    view: str,
    statistics: Float[np.ndarray, "n d"],
    folds: Sequence[np.ndarray],
    features: TrainingFeatures | None,
    level: float = LEVEL,
) -> Detector:
    """Fit a detector on the training clips of a view.

    Args:
        view: the view.
        statistics: what `describe` returns for each clip.
        folds: indices of the clips of each fold; all clips of a patient are in one.
        features: their features; None where they cannot be read.
        level: share of training clips that may be beyond the threshold.
    """
    floor = np.array([one.floor for one in STATISTICS])
    left_out = left_out_distances(statistics, folds, floor)
    of_frames = Part(fit_normal(statistics, floor), fit_scale(left_out))
    scores, of_network = of_frames.scale(left_out), None
    if features is not None:
        of_network = Part(fit_normal(features.rows), fit_scale(features.left_out))
        scores = np.maximum(scores, of_network.scale(features.left_out))
    threshold, expected = rank_threshold(scores, level)
    facts = {
        "clips": len(statistics),
        "level": level,
        "expected_false_alarms": expected,
        "features": features.source if features else "none",
    }
    return Detector(view, of_frames, of_network, threshold, facts)


def save_detector(detector: Detector, path: Path) -> None:
    """Write a detector as safetensors, whole or not at all."""
    from safetensors.numpy import save_file

    parts = {"statistics": detector.statistics, MISSING: detector.features}
    tensors, scales = {}, {}
    for name, part in parts.items():
        if part is not None:
            normal = part.normal
            scales[name] = asdict(part.scale)
            for key in ("centre", "spread", "shift", "precision"):
                tensors[f"{name}/{key}"] = np.ascontiguousarray(getattr(normal, key), np.float64)
    document = {
        "schema": 1,
        "view": detector.view,
        "threshold": detector.threshold,
        "scales": scales,
        "statistics": [one.name for one in STATISTICS],
        "facts": dict(detector.facts),
    }
    with whole_file(path) as partial:
        # one key alone: several would be written in an order that changes
        save_file(tensors, partial, {"detector": json.dumps(document, sort_keys=True)})


def load_detector(path: Path) -> Detector:
    """Read a detector.

    Raises:
        DamagedError: the file is damaged.
        UsageError: it was fitted on other statistics than this version describes clips by.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            document = json.loads(file.metadata()["detector"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        statistics = document["statistics"]
        return _detector(path, document, tensors, statistics)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise damaged(path, error) from error


def _detector(
    path: Path, document: dict[str, Any], tensors: dict[str, Any], statistics: list[str]
) -> Detector:
    if statistics != [one.name for one in STATISTICS]:
        raise UsageError(
            f"{path} describes clips by other numbers than this version of echokit does: make the "
            "run or bundle again, or predict with the version that made it."
        )
    parts = {
        name: Part(
            Normal(
                *(tensors[f"{name}/{key}"] for key in ("centre", "spread", "shift", "precision"))
            ),
            Scale(**scale),
        )
        for name, scale in document["scales"].items()
    }
    return Detector(
        document["view"],
        parts["statistics"],
        parts.get(MISSING),
        document["threshold"],
        document["facts"],
    )
