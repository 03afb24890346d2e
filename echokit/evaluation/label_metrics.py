"""Compute metrics at each label, weighted kappa, and the confusion matrix of patients."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from echokit.evaluation.bootstrap import ratio
from echokit.evaluation.metric_names import LabelMetric

KAPPA = "kappa"


def key(metric: LabelMetric, label: int) -> str:
    """Return the key of a metric at a label in the results below."""
    return f"{metric}/{label}"


def positives(classes: int) -> range:
    """Return the labels that have figures of their own: all, but of two only the second."""
    return range(1, 2) if classes == 2 else range(classes)


def label_scores(
    truth: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], classes: int
) -> dict[str, float | None]:
    """Compute the metrics at each label of one split with scikit-learn.

    A label is compared with all others together: sensitivity is the share of its rows that are
    predicted as it, specificity the share of other rows that are not; PPV and NPV are the shares of
    correct rows among those predicted as it and as another. Quadratically weighted kappa (Cohen
    1968, doi:10.1037/h0026256) is the agreement beyond chance, where a confusion counts by the
    square of its distance in the order of labels.

    Args:
        truth: index of each row's true label.
        predicted: index of each row's predicted label.
        classes: number of labels.

    Returns:
        `key(metric, label)` -> value in [0, 1], and `kappa` -> value in [-1, 1]; None if the
        denominator is 0.
    """
    from sklearn.metrics import cohen_kappa_score, multilabel_confusion_matrix

    tables = multilabel_confusion_matrix(truth, predicted, labels=range(classes))
    result: dict[str, float | None] = {}
    for label in positives(classes):
        (tn, fp), (fn, tp) = tables[label].tolist()
        pairs: dict[LabelMetric, tuple[float, float]] = {
            "sensitivity": (tp, tp + fn),
            "specificity": (tn, tn + fp),
            "ppv": (tp, tp + fp),
            "npv": (tn, tn + fn),
        }
        for metric, (hits, total) in pairs.items():
            result[key(metric, label)] = hits / total if total else None
    constant = len({*truth.tolist(), *predicted.tolist()}) < 2  # chance alone agrees fully
    weighted = {"weights": "quadratic", "labels": range(classes)}
    result[KAPPA] = None if constant else float(cohen_kappa_score(truth, predicted, **weighted))
    return result


def label_courses(
    truth: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, " n"],
    weights: Int[np.ndarray, "draws n"],
    classes: int,
) -> dict[str, Float[np.ndarray, " draws"]]:
    """Compute the metrics of `label_scores` for every weighting of the rows; NaN if undefined."""
    pairs = np.eye(classes * classes)[truth * classes + predicted]  # (n, K * K)
    table = (weights @ pairs).reshape(len(weights), classes, classes)
    total, present, claimed = table.sum((1, 2)), table.sum(2), table.sum(1)  # (draws, K)
    result: dict[str, Float[np.ndarray, " draws"]] = {}
    for label in positives(classes):
        tp, of_label, as_label = table[:, label, label], present[:, label], claimed[:, label]
        tn = total - of_label - as_label + tp
        result[key("sensitivity", label)] = ratio(tp, of_label, np.nan)
        result[key("specificity", label)] = ratio(tn, total - of_label, np.nan)
        result[key("ppv", label)] = ratio(tp, as_label, np.nan)
        result[key("npv", label)] = ratio(tn, total - as_label, np.nan)
    distance = np.subtract.outer(np.arange(classes), np.arange(classes)) ** 2
    by_chance = present[:, :, None] * claimed[:, None, :]
    disagreement = (table * distance).sum((1, 2)) * total
    result[KAPPA] = 1 - ratio(disagreement, (by_chance * distance).sum((1, 2)), np.nan)
    return result


def confusion_of_patients(
    patients: np.ndarray,
    truth: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, " n"],
    classes: int,
) -> list[list[float]]:
    """Count patients by true label (row) and predicted label (column).

    A patient with several predictions, of several splits or clips, counts once: each prediction has
    an equal share of the patient. All cells add up to the number of patients.
    """
    from sklearn.metrics import confusion_matrix

    _, index, counts = np.unique(patients, return_inverse=True, return_counts=True)
    share = 1 / counts[index]
    table = confusion_matrix(truth, predicted, labels=range(classes), sample_weight=share)
    rounded: list[list[float]] = np.round(table, 6).tolist()
    return rounded
