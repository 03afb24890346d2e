"""Held-out predictions against the truth: confusion matrices and ROC curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from sklearn.metrics import auc, roc_curve

from echokit.report.words import plural


@dataclass(frozen=True, slots=True)
class Judged:
    """The held-out predictions of one view or view set, over all splits."""

    task: str
    approach: str
    views: str
    level: str
    """`view` or `subject`."""
    classes: tuple[str, ...]
    truth: Int[np.ndarray, " n"]
    """Index of each true label."""
    predicted: Int[np.ndarray, " n"]
    """Index of each predicted label."""
    probabilities: Float[np.ndarray, "n K"]
    patients: int
    """How many different patients they are of."""
    splits: int

    @property
    def right(self) -> int:
        """How many predictions agree with the truth."""
        return int((self.truth == self.predicted).sum())

    @property
    def people(self) -> str:
        """`60 predictions, 40 patients, 3 splits`."""
        over = f", {self.splits} splits" if self.splits > 1 else ""
        return f"{len(self.truth)} predictions, {plural(self.patients, 'patient')}{over}"


@dataclass(frozen=True, slots=True)
class Curve:
    """One label against all others."""

    label: str
    fpr: Float[np.ndarray, " m"]
    """False positive rate, 1 - specificity."""
    tpr: Float[np.ndarray, " m"]
    """True positive rate, sensitivity."""
    area: float
    """Area under the curve."""


def judged(predictions: pd.DataFrame, task: str, classes: Sequence[str]) -> Iterator[Judged]:
    """Group a task's predictions by approach and view, in the order of the file.

    Args:
        predictions: the rows of predictions.parquet; those of single sequences are not used.
        task: the task.
        classes: its label names, in the order of the probabilities.
    """
    known = list(classes)
    rows = predictions[
        (predictions["task"] == task)
        & predictions["level"].isin(["view", "subject"])
        & predictions["label"].isin(known)
        & predictions["predicted"].isin(known)
    ]
    keys = ["approach", "level", "view"]
    for (approach, level, views), group in rows.groupby(keys, sort=False, observed=True):
        yield Judged(
            task=task,
            approach=str(approach),
            views=str(views),
            level=str(level),
            classes=tuple(known),
            truth=group["label"].map(known.index).to_numpy(int),
            predicted=group["predicted"].map(known.index).to_numpy(int),
            probabilities=np.stack(group["probabilities"].tolist()).astype(float),
            patients=int(group["patient"].nunique()),
            splits=int(group["split"].nunique()),
        )


def confusion(group: Judged) -> Int[np.ndarray, "K K"]:
    """How often each true label (row) was predicted as each label (column)."""
    k = len(group.classes)
    return np.bincount(group.truth * k + group.predicted, minlength=k * k).reshape(k, k)


def curves(group: Judged) -> list[Curve]:
    """One-vs-rest ROC curves; of two labels only the second's, which mirrors the first's.

    A label without a patient, or with all of them, has no curve.
    """
    result = []
    for i, label in enumerate(group.classes):
        positive = group.truth == i
        if positive.all() or not positive.any() or (len(group.classes) == 2 and i == 0):
            continue
        fpr, tpr, _ = roc_curve(positive, group.probabilities[:, i])
        result.append(Curve(label, fpr, tpr, float(auc(fpr, tpr))))
    return result
