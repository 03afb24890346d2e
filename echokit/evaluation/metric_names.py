"""Name every metric: its key in the result files, and its headings in tables and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Metric = Literal["auroc", "f1", "precision", "recall", "balanced_accuracy"]


@dataclass(frozen=True, slots=True)
class MetricName:
    """The names of one metric."""

    key: str
    """In `metrics.json` and other result files."""
    heading: str
    short: str
    """Heading where there is little room, as in a terminal of 80 columns."""


METRICS: tuple[Metric, ...] = ("auroc", "f1", "precision", "recall", "balanced_accuracy")
"""What is computed for every view and view set, in the order of the paper's Table 1 (section 3.2):
one-vs-one AUROC, then class-weighted metrics."""

NAMES = {
    name.key: name
    for name in (
        MetricName("f1", "F1-score", "F1-score"),
        MetricName("balanced_accuracy", "Balanced accuracy", "Bal. acc."),
        MetricName("auroc", "AUROC", "AUROC"),
        MetricName("precision", "Precision", "Precision"),
        MetricName("recall", "Recall", "Recall"),
        MetricName("confidence", "Confidence", "Confidence"),
        MetricName("confidence_correct", "Confidence when correct", "when correct"),
        MetricName("confidence_wrong", "Confidence when wrong", "when wrong"),
    )
}
"""Key -> names, in the order of a page: what is looked at first stands first."""

REPORTED = ("f1", "balanced_accuracy", "auroc", "precision", "recall", "confidence")
"""Keys of the columns of a page's table."""
HEADLINE = ("f1", "balanced_accuracy", "auroc")
"""Keys of what a page shows first."""
ARGUED = ("f1", "balanced_accuracy")
"""Keys of the metrics that the paper argues with."""
