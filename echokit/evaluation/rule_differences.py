"""What rival rules reach on the same patients, and by how much each leads."""

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
    """The predictions of one rule on one subset of the views, one row per patient and split."""

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
    """Counts, and each metric's mean and sd over splits, as `evaluate.scores` computes them.

    Returns:
        `n_subjects`, `n_predictions`, `n_splits`, and metric -> {mean, sd}; sd is None for one
        split, the whole None where no split defines the metric.
    """
    per_split: dict[str, list[float]] = {name: [] for name in METRICS}
    for number in np.unique(outcome.split):
        here = outcome.split == number
        once = np.ones((1, int(here.sum())), np.int64)  # every row counts once
        truth, p = outcome.truth[here], outcome.probabilities[here]
        found = confusion_metrics(truth, outcome.predicted[here], once, p.shape[1])
        found["auroc"] = pairwise_auroc(truth, p, once)
        for name in METRICS:
            per_split[name].append(float(found[name][0]))
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
    """Compute each metric's mean over the subsets of 1, 2, ... views; None where none defines it.

    Args:
        rows: of one rule.
    """
    sizes = sorted({len(row["views"]) for row in rows})
    return {
        str(size): {
            name: _mean([row[name] for row in rows if len(row["views"]) == size])
            for name in METRICS
        }
        for size in sizes
    }


def leads(
    outcomes: Mapping[str, Outcome], baseline: str, draws: int, seed: int
) -> Iterator[tuple[str, RuleDifference]]:
    """How far each rule's weighted F1-score lies above the baseline's, on the same patients.

    Patients are drawn with replacement, with all their rows; every rule is judged on the same
    draws, so that what is hard for all rules alike drops out of the difference.

    Args:
        outcomes: rule -> its outcome; all hold the same rows in the same order.
        baseline: the rule that the others are held against.
        draws: resamples of the patients; 0 for no interval.
        seed: of the resampling.

    Yields:
        (rule, {"mean", "ci95", "ci95_together", "excludes_zero"}), but for the baseline: an
        interval by itself, one that is corrected for the number of rules (see `together`), each
        `[low, high]` or None, and whether the corrected one leaves out 0.
    """
    drawn = resample(np.array(outcomes[baseline].patient), draws, seed)
    weights = np.vstack([np.ones((1, drawn.shape[1]), np.int64), drawn])  # first: as they are
    reached = {rule: _f1(outcome, weights) for rule, outcome in outcomes.items()}
    above = {r: f1 - reached[baseline] for r, f1 in reached.items() if r != baseline}
    corrected = together(above) if draws and above else {}
    for rule, course in above.items():
        ends = corrected.get(rule)
        yield (
            rule,
            RuleDifference(
                mean=float(course[0]),
                ci95=np.quantile(course[1:], [0.025, 0.975]).tolist() if draws else None,
                ci95_together=ends,
                excludes_zero=bool(ends and (ends[0] > 0 or ends[1] < 0)),
            ),
        )


def together(
    above: Mapping[str, Float[np.ndarray, " draws"]],
) -> dict[str, list[float]]:
    """Intervals that hold all true leads at once with a confidence of 95 %, however many there are.

    The single-step max-T method (Westfall and Young 1993, Resampling-Based Multiple Testing,
    section 2.6; Romano and Wolf 2005, doi:10.1198/016214504000000539): each lead plus or minus its
    bootstrap deviation times one factor, the 95 % quantile over the draws of the largest
    deviation of any lead. Rules that rise and fall together cost less than by Bonferroni.

    Args:
        above: rule -> its lead on the subjects as they are, and then in every resample.

    Returns:
        Rule -> `[low, high]`; both ends are the lead where no resample changes it.
    """
    mean = np.array([course[0] for course in above.values()])
    drawn = np.stack([course[1:] for course in above.values()])  # (rules, draws)
    sd = drawn.std(axis=1)
    away = np.abs(drawn - mean[:, None]) / np.where(sd > 0, sd, np.inf)[:, None]
    factor = np.quantile(away.max(axis=0), 0.95)
    low, high = mean - factor * sd, mean + factor * sd
    return {rule: [float(low[i]), float(high[i])] for i, rule in enumerate(above)}


def winner(
    f1: Mapping[str, float], lead: Mapping[str, RuleDifference], baseline: str
) -> tuple[str, bool]:
    """The rule of the highest F1-score (the baseline in a tie), and whether its lead is clear.

    A lead over the baseline is clear if its interval, corrected for the number of rules, lies above
    0: so it allows for having picked the highest of them. The baseline's own lead is clear if the
    corrected intervals of all others lie below 0.

    Args:
        f1: rule -> its F1-score on all views.
        lead: rule -> its lead over the baseline, as `leads` gives it.
        baseline: the rule that the others are held against.
    """
    best = max(f1, key=lambda rule: (f1[rule], rule == baseline))
    if best == baseline:
        below = [bool(ends and ends[1] < 0) for ends in map(_corrected, lead.values())]
        return best, bool(below) and all(below)
    ends = _corrected(lead[best]) if best in lead else None
    return best, bool(ends and ends[0] > 0)


def _corrected(lead: RuleDifference) -> list[float] | None:
    return lead["ci95_together"]


def _f1(outcome: Outcome, weights: Int[np.ndarray, "draws n"]) -> Float[np.ndarray, " draws"]:
    """The mean over splits of the weighted F1-score, for every weighting of the rows."""
    k = outcome.probabilities.shape[1]
    per_split = []
    for number in np.unique(outcome.split):
        here = outcome.split == number
        truth, predicted = outcome.truth[here], outcome.predicted[here]
        per_split.append(confusion_metrics(truth, predicted, weights[:, here], k)["f1"])
    return mean_of_known(per_split)  # NaN where no split has a drawn patient


def _mean(spreads: Sequence[Spread | None]) -> float | None:
    values = [spread["mean"] for spread in spreads if spread is not None]
    return float(np.mean(values)) if values else None
