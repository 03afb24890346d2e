"""Compare voting rules on the same patients: figures, and differences from a baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from echokit.evaluation.bootstrap import (
    confusion_metrics,
    mean_of_known,
    pairwise_auroc,
    resample,
)
from echokit.evaluation.metric_names import METRICS
from echokit.evaluation.rows import RuleDifference, RuleFigures, RuleRow, Spread
from echokit.evaluation.summary import mean_sd

Subset = frozenset[str]
"""Views that vote together."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The predictions of one rule on a subset of the views, one row for each patient and split."""

    split: Int[np.ndarray, " n"]
    patient: tuple[str, ...]
    truth: Int[np.ndarray, " n"]
    """Index of each patient's true label."""
    predicted: Int[np.ndarray, " n"]
    probabilities: Float[np.ndarray, "n K"]

    @property
    def place(self) -> list[tuple[int, str]]:
        """(split, patient) of each row."""
        return list(zip(self.split.tolist(), self.patient, strict=True))


def figures(outcome: Outcome) -> RuleFigures:
    """Count subjects and predictions, and compute each metric's mean and sd over splits.

    The metrics equal those of `metrics.scores`. A metric is None if no split defines it.
    """
    per_split: dict[str, list[float]] = {name: [] for name in METRICS}
    for number in np.unique(outcome.split):
        rows = outcome.split == number
        once = np.ones((1, int(rows.sum())), np.int64)  # every row counts once
        truth, p = outcome.truth[rows], outcome.probabilities[rows]
        metrics = confusion_metrics(truth, outcome.predicted[rows], once, p.shape[1])
        metrics["auroc"] = pairwise_auroc(truth, p, once)
        for name in METRICS:
            per_split[name].append(float(metrics[name][0]))
    return RuleFigures(
        n_subjects=len(set(outcome.patient)),
        n_predictions=len(outcome.patient),
        n_splits=len(per_split["f1"]),
        auroc=mean_sd(per_split["auroc"]),
        f1=mean_sd(per_split["f1"]),
        precision=mean_sd(per_split["precision"]),
        recall=mean_sd(per_split["recall"]),
        balanced_accuracy=mean_sd(per_split["balanced_accuracy"]),
    )


def mean_by_size(rows: Sequence[RuleRow]) -> dict[str, dict[str, float | None]]:
    """Compute each metric's mean over the subsets of 1, 2, ... views; None if none defines it.

    Args:
        rows: the rows of one rule.
    """
    sizes = sorted({len(row["views"]) for row in rows})
    return {
        str(size): {
            name: _mean([row[name] for row in rows if len(row["views"]) == size])
            for name in METRICS
        }
        for size in sizes
    }


def differences_from(
    outcomes: Mapping[str, Outcome], baseline: str, draws: int, seed: int
) -> Iterator[tuple[str, RuleDifference]]:
    """Compute each rule's difference in weighted F1-score from the baseline, on the same patients.

    Patients are drawn with replacement, with all their rows. Every rule is evaluated on the same
    draws, so that the difficulty of patients cancels in the difference.

    Args:
        outcomes: rule -> outcome; all have the same rows in the same order.
        baseline: the rule with which the others are compared.
        draws: number of resamples of the patients; 0 for no intervals.
        seed: seed of the resampling.

    Yields:
        (rule, difference) for each rule except the baseline, with an interval of its own and one
        that is corrected for the number of rules (see `simultaneous_intervals`).
    """
    drawn = resample(np.array(outcomes[baseline].patient), draws, seed)
    weights = np.vstack(
        [np.ones((1, drawn.shape[1]), np.int64), drawn]
    )  # the first row: no resampling
    f1 = {rule: _f1(outcome, weights) for rule, outcome in outcomes.items()}
    above = {rule: values - f1[baseline] for rule, values in f1.items() if rule != baseline}
    corrected = simultaneous_intervals(above) if draws and above else {}
    for rule, values in above.items():
        ends = corrected.get(rule)
        yield (
            rule,
            RuleDifference(
                mean=float(values[0]),
                ci95=np.quantile(values[1:], [0.025, 0.975]).tolist() if draws else None,
                ci95_together=ends,
                excludes_zero=bool(ends and (ends[0] > 0 or ends[1] < 0)),
            ),
        )


def simultaneous_intervals(
    above: Mapping[str, Float[np.ndarray, " draws"]],
) -> dict[str, list[float]]:
    """Compute intervals that contain all true differences together with a confidence of 95 %.

    The single-step max-T method (Westfall and Young 1993, Resampling-Based Multiple Testing,
    section 2.6; Romano and Wolf 2005, doi:10.1198/016214504000000539): each difference plus or
    minus its bootstrap deviation times one factor, the 95 % quantile over the draws of the largest
    deviation of any difference. For correlated rules it is narrower than Bonferroni's.

    Args:
        above: rule -> its difference without resampling, followed by that of every resample.

    Returns:
        Rule -> `[low, high]`; both ends equal the difference if no resample changes it.
    """
    mean = np.array([values[0] for values in above.values()])
    drawn = np.stack([values[1:] for values in above.values()])  # (rules, draws)
    sd = drawn.std(axis=1)
    # a rule that equals the baseline in every resample has no deviation, and cannot be the largest
    deviations = np.abs(drawn - mean[:, None]) / np.where(sd > 0, sd, np.inf)[:, None]
    factor = np.quantile(deviations.max(axis=0), 0.95)
    low, high = mean - factor * sd, mean + factor * sd
    return {rule: [float(low[i]), float(high[i])] for i, rule in enumerate(above)}


def winner(
    f1: Mapping[str, float], above: Mapping[str, RuleDifference], baseline: str
) -> tuple[str, bool]:
    """Find the rule with the highest F1-score (in a tie the baseline), and whether it is clear.

    A rule is clearly best if its interval, corrected for the number of rules, lies above 0; the
    correction allows for having picked the highest of them. The baseline is clearly best if the
    corrected intervals of all other rules lie below 0.

    Args:
        f1: rule -> its F1-score on all views.
        above: rule -> its difference from the baseline.
        baseline: the rule with which the others are compared.
    """
    best = max(f1, key=lambda rule: (f1[rule], rule == baseline))
    if best == baseline:
        below = [bool(ends and ends[1] < 0) for ends in map(_corrected, above.values())]
        return best, bool(below) and all(below)
    ends = _corrected(above[best]) if best in above else None
    return best, bool(ends and ends[0] > 0)


def _corrected(difference: RuleDifference) -> list[float] | None:
    return difference["ci95_together"]


def _f1(outcome: Outcome, weights: Int[np.ndarray, "draws n"]) -> Float[np.ndarray, " draws"]:
    """Compute the mean over splits of the weighted F1-score, for every weighting of the rows."""
    k = outcome.probabilities.shape[1]
    per_split = []
    for number in np.unique(outcome.split):
        rows = outcome.split == number
        truth, predicted = outcome.truth[rows], outcome.predicted[rows]
        per_split.append(confusion_metrics(truth, predicted, weights[:, rows], k)["f1"])
    return mean_of_known(per_split)  # NaN if no split has a drawn patient


def _mean(spreads: Sequence[Spread | None]) -> float | None:
    values = [spread["mean"] for spread in spreads if spread is not None]
    return float(np.mean(values)) if values else None
