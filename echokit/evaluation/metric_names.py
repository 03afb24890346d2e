"""Name every metric: its key in the result files, and its headings in tables and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Metric = Literal["auroc", "f1", "precision", "recall", "balanced_accuracy"]
LabelMetric = Literal["sensitivity", "specificity", "ppv", "npv"]


@dataclass(frozen=True, slots=True)
class MetricName:
    """The names of one metric."""

    key: str
    """Key in `metrics.json` and other result files."""
    heading: str
    short: str
    """Short heading, for a terminal of 80 columns."""


METRICS: tuple[Metric, ...] = ("auroc", "f1", "precision", "recall", "balanced_accuracy")
"""Metrics of every view and view set, in the order of the paper's Table 1 (section 3.2): one-vs-one
AUROC, then class-weighted metrics."""

NAMES = {
    name.key: name
    for name in (
        MetricName("f1", "F1-score", "F1-score"),
        MetricName("balanced_accuracy", "Balanced accuracy", "Bal. acc."),
        MetricName("auroc", "AUROC", "AUROC"),
        MetricName("precision", "Precision", "Precision"),
        MetricName("recall", "Recall", "Recall"),
        MetricName("kappa", "Weighted kappa", "Kappa"),
        MetricName("confidence", "Confidence", "Confidence"),
        MetricName("confidence_correct", "Confidence when correct", "when correct"),
        MetricName("confidence_wrong", "Confidence when wrong", "when wrong"),
    )
}
"""Key -> names, in the order of a page."""

LABEL_NAMES: dict[LabelMetric, MetricName] = {
    "sensitivity": MetricName("sensitivity", "Sensitivity", "Sens."),
    "specificity": MetricName("specificity", "Specificity", "Spec."),
    "ppv": MetricName("ppv", "Positive predictive value", "PPV"),
    "npv": MetricName("npv", "Negative predictive value", "NPV"),
}
"""Metrics at one label against all others, in the order of a table."""

REPORTED = ("f1", "balanced_accuracy", "auroc", "precision", "recall", "confidence")
"""Keys of the columns in the table of a page."""
HEADLINE = ("f1", "balanced_accuracy", "auroc")
"""Keys of the metrics that a page shows first."""
ARGUED = ("f1", "balanced_accuracy")
"""Keys of the metrics on which the paper's conclusions rest."""
