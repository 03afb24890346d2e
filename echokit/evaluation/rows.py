"""The rows of the result files, as they are written to JSON and read back.

Results stay plain JSON objects from the moment they are computed; these types say what is in each.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Spread(TypedDict):
    """A figure over splits."""

    mean: float
    sd: float | None
    """Sample deviation; None of a single split."""


class Figure(Spread):
    """A figure over splits, with its 95 % bootstrap interval over subjects."""

    ci95: list[float] | None


class Counts(TypedDict):
    """The numbers of subjects, predictions and splits of a row."""

    n_subjects: int
    n_predictions: int
    n_splits: int


class AbstentionFigures(TypedDict):
    """What the rule for abstaining leaves out, over splits and with intervals over subjects."""

    coverage: Figure
    """Share of the predictions that are judged."""
    accuracy: Figure | None
    """Share of the judged predictions that are correct; None if none is judged."""
    accuracy_of_all: Figure
    """Share of all predictions that are correct, as if every subject were judged."""
    reasons: dict[str, int]
    """Reason -> number of predictions that are not judged for it, over all splits."""


class LabelRow(TypedDict):
    """The figures at one label against all others; a figure without a denominator is None."""

    label: str
    sensitivity: Figure | None
    specificity: Figure | None
    ppv: Figure | None
    """Positive predictive value."""
    npv: Figure | None
    """Negative predictive value."""


class MetricsRow(Counts):
    """One row of `metrics.json`: an approach and view, or set of views, in one task."""

    task: str
    approach: str
    views: str
    classes: list[str]
    auroc: Figure | None
    f1: Figure | None
    precision: Figure | None
    recall: Figure | None
    balanced_accuracy: Figure | None
    confidence: Figure | None
    confidence_correct: Figure | None
    confidence_wrong: Figure | None
    abstention: NotRequired[AbstentionFigures]
    """Of subjects, where the recipe abstains; the figures above are of all subjects."""
    kappa: NotRequired[Figure | None]
    """Quadratically weighted; None where labels have no order. Absent from runs made before."""
    by_label: NotRequired[list[LabelRow]]
    """One row for each label; of two labels only the second, the positive one."""
    confusion: NotRequired[list[list[float]]]
    """Patients by true label (row) and predicted label (column); each patient counts once."""


class LearningRow(TypedDict):
    """One row of `learning.json`: whether a network learned, told by its training patients."""

    task: str
    approach: str
    view: str
    split: int
    attempts: int
    """Number of seeds that it was trained from."""
    training_accuracy: float | None
    """Balanced accuracy on its own training clips; None of networks of earlier versions."""
    left_out_accuracy: float | None
    """Balanced accuracy of inner networks on the training patients that each did not learn from;
    None without cross-fitting."""
    reason: str
    """Why it counts as a network that did not learn; empty if it learned."""


class Interval(TypedDict):
    """A figure without resampling, and its 95 % bootstrap interval."""

    mean: float
    ci95: list[float] | None


class ApproachDifference(TypedDict):
    """One row of `paired` in `metrics.json`: the first approach minus the second."""

    task: str
    approaches: list[str]
    views: list[str]
    """One view or set of views, or all views over which the mean was taken."""
    n_subjects: int
    f1: Interval
    balanced_accuracy: Interval


class ExternalDifference(TypedDict):
    """One row of `differences` in `external.json`: the external cohort minus cross-validation."""

    task: str
    approach: str
    views: str
    n_subjects: int
    """Held-out patients of cross-validation."""
    n_external: int
    """Patients of the external cohort."""
    f1: Interval | None
    balanced_accuracy: Interval | None
    auroc: Interval | None


class RuleDifference(Interval):
    """The difference of a rule's weighted F1-score from that of the baseline."""

    ci95_together: list[float] | None
    """Corrected for the number of rules."""
    excludes_zero: bool
    """Whether the corrected interval leaves out 0."""


class RuleFigures(Counts):
    """The figures of one voting rule on one subset of the views."""

    auroc: Spread | None
    f1: Spread | None
    precision: Spread | None
    recall: Spread | None
    balanced_accuracy: Spread | None


class RuleRow(RuleFigures):
    """One row of `fusion.json`: a voting rule on a subset of the views."""

    task: str
    approach: str
    method: str
    views: list[str]


class RuleSummary(TypedDict):
    """The summary of one voting rule."""

    method: str
    learned: bool
    """Whether it was fitted on training patients."""
    all_views: dict[str, Spread | None]
    """Metric -> figure on all views."""
    by_size: dict[str, dict[str, float | None]]
    """Number of views -> metric -> mean over the subsets of that size."""
    lead: RuleDifference | None
    """Difference from the baseline; None for the baseline."""


class TaskSummary(TypedDict):
    """One row of `summary` in `fusion.json`: the rules of one task and approach."""

    task: str
    approach: str
    views: list[str]
    classes: list[str]
    bootstrap: int
    n_training_subjects: int
    n_training_ballots: int
    baseline: str
    methods: list[RuleSummary]
    winner: str | None
    winner_is_clear: bool


class SkippedRule(TypedDict):
    """A rule that could not be evaluated, with the reason."""

    task: str
    approach: str
    method: str
    reason: str


class Bin(TypedDict):
    """One bin of a reliability diagram."""

    confidence: float
    accuracy: float
    n: int


class SelectiveFigures(TypedDict):
    """Accuracy against coverage, where the least confident predictions are left out."""

    coverage: list[float]
    accuracy: list[float]
    aurc: Spread | None
    """Area under the curve of error against coverage."""
    error: float
    """Share of all predictions that are wrong."""
    at: dict[str, float | None]
    """Coverage -> accuracy."""


class PooledSpread(Spread):
    """A figure over splits, and of all rows together."""

    pooled: float


class ConfidenceFigures(TypedDict):
    """Calibration of a confidence."""

    ece: PooledSpread
    """Expected calibration error."""
    ece_by_chance: float
    reliability: list[Bin]
    selective: SelectiveFigures


class ProbabilityFigures(ConfidenceFigures):
    """Calibration of class probabilities."""

    brier: Spread | None
    nll: Spread | None


class TemperedFigures(ProbabilityFigures):
    """Calibration of class probabilities after temperature scaling."""

    temperature: Spread | None


class SetFigures(TypedDict):
    """The evaluation of conformal label sets on held-out predictions."""

    coverage: float
    coverage_by_label: dict[str, float | None]
    size: float
    single: float
    single_right: float | None
    empty: float


class LevelFigures(SetFigures):
    """Label sets of one level."""

    level: float
    by_label: bool
    n_calibration: int


class CalibrationRow(Counts):
    """One row of `calibration.json`: a view, or a set of views."""

    task: str
    approach: str
    views: str
    classes: list[str]
    vote: ConfidenceFigures
    raw: ProbabilityFigures
    tempered: TemperedFigures | None
    selective: SelectiveFigures
    conformal: list[LevelFigures] | None
