"""Compute metrics on held-out subjects: mean and sd over splits, and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from echokit.evaluation.abstention import abstention_figures
from echokit.evaluation.bootstrap import (
    mean_over_splits,
    percentiles,
    resample,
    weighted_metrics,
)
from echokit.evaluation.label_metrics import (
    KAPPA,
    confusion_of_patients,
    key,
    label_courses,
    label_scores,
    positives,
)
from echokit.evaluation.rows import Figure, LabelRow, MetricsRow
from echokit.evaluation.summary import mean_sd
from echokit.voting.table import APPROACH, TASK, VIEW, PredictionTable


def scores(
    truth: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, " n"],
    probabilities: Float[np.ndarray, "n K"],
) -> dict[str, float | None]:
    """Compute every metric of one split with scikit-learn.

    Args:
        truth: index of each subject's true label.
        predicted: index of each subject's predicted label.
        probabilities: class probabilities, rows summing to 1.

    Returns:
        Metric -> value in [0, 1]; AUROC is None if a class has no subject.
    """
    # scikit-learn takes a second to import, and a prediction needs none of it
    from sklearn.metrics import precision_recall_fscore_support, recall_score

    classes = probabilities.shape[1]
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, predicted, labels=range(classes), average="weighted", zero_division=0
    )
    # balanced accuracy is the mean recall of the classes present
    balanced = recall_score(
        truth, predicted, labels=np.unique(truth), average="macro", zero_division=0
    )
    return {
        "auroc": _auroc(truth, probabilities),
        "f1": float(f1),
        "precision": float(precision),
        "recall": float(recall),
        "balanced_accuracy": float(balanced),
    }


def _auroc(truth: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n K"]) -> float | None:
    """Compute the one-vs-one AUROC; None if a class has no subject."""
    from sklearn.metrics import roc_auc_score

    classes = probabilities.shape[1]
    if len(np.unique(truth)) < classes:
        return None
    if classes == 2:
        return float(roc_auc_score(truth, probabilities[:, 1]))
    # probabilities are passed as they are: scaling their rows to sum 1 could break ties
    options = {"multi_class": "ovo", "average": "weighted", "labels": range(classes)}
    return float(roc_auc_score(truth, probabilities, **options))


def evaluate(
    predictions: PredictionTable,
    classes: Mapping[str, tuple[str, ...]],
    bootstrap: int,
    seed: int,
    abstains: bool = False,
    unordered: Collection[str] = (),
) -> list[MetricsRow]:
    """Compute the rows of `metrics.json`: one for each task, approach and view or view set.

    Args:
        predictions: held-out predictions.
        classes: task -> label names, least severe first.
        bootstrap: number of resamples of the subjects for 95 % intervals; 0 for no intervals.
        seed: seed of the resampling.
        abstains: whether some subjects may not be judged. All figures are of every subject, as if
            it were judged; `abstention` tells those that are judged apart.
        unordered: tasks whose labels have no order, and therefore no weighted kappa.
    """
    rows = []
    for (task, approach, views), group in predictions.evaluated.groups(TASK, APPROACH, VIEW):
        draws = bootstrap if group.n_subjects > 1 else 0  # of one subject all resamples are equal
        row = MetricsRow(
            task=task,
            approach=approach,
            views=views,
            n_splits=group.n_splits,
            n_subjects=group.n_subjects,
            n_predictions=len(group),
            classes=list(classes[task]),
            **_summary(group, classes[task], draws, seed, task not in unordered),  # type: ignore[typeddict-item]
        )
        if abstains and len(group.subjects):
            row["abstention"] = abstention_figures(group, draws, seed)
        rows.append(row)
    return rows


def _summary(
    group: PredictionTable, classes: Sequence[str], bootstrap: int, seed: int, ordered: bool
) -> dict[str, object]:
    """Compute everything in a row that depends on its predictions."""
    truth, predicted, split = group.truth(classes), group.predicted(classes), group.split
    probabilities, confidence, k = group.probabilities, group.confidence, len(classes)
    right = truth == predicted

    per_split: dict[str, list[float | None]] = {}
    for number in np.unique(split):
        rows = split == number
        values = scores(truth[rows], predicted[rows], probabilities[rows])
        values["confidence"] = float(confidence[rows].mean())
        values["confidence_correct"] = _mean(confidence[rows & right])
        values["confidence_wrong"] = _mean(confidence[rows & ~right])
        values |= label_scores(truth[rows], predicted[rows], k)
        for name, value in values.items():
            per_split.setdefault(name, []).append(value)

    intervals: dict[str, list[float] | None] = {}
    if bootstrap:
        weights = resample(group.patients, bootstrap, seed)
        intervals |= weighted_metrics(truth, predicted, probabilities, confidence, split, weights)
        courses = mean_over_splits(
            split,
            weights,
            lambda rows, drawn: label_courses(truth[rows], predicted[rows], drawn, k),
        )
        intervals |= {name: percentiles(course) for name, course in courses.items()}
    figures = {
        name: _with_interval(values, intervals.get(name)) for name, values in per_split.items()
    }
    by_label = [_label_row(classes[label], label, figures) for label in positives(k)]
    return {
        **{name: figure for name, figure in figures.items() if "/" not in name},
        KAPPA: figures[KAPPA] if ordered else None,
        "by_label": by_label,
        "confusion": confusion_of_patients(group.patients, truth, predicted, k),
    }


def _label_row(name: str, label: int, figures: Mapping[str, Figure | None]) -> LabelRow:
    return LabelRow(
        label=name,
        sensitivity=figures[key("sensitivity", label)],
        specificity=figures[key("specificity", label)],
        ppv=figures[key("ppv", label)],
        npv=figures[key("npv", label)],
    )


def _mean(values: Float[np.ndarray, " n"]) -> float | None:
    return float(values.mean()) if values.size else None


def _with_interval(values: Sequence[float | None], interval: list[float] | None) -> Figure | None:
    spread = mean_sd(values)
    return None if spread is None else Figure(**spread, ci95=interval)
