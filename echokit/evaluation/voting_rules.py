"""Compare voting rules of views: every rule on every subset of the views.

Rules that learn are fitted on training patients only, for each split; held-out patients only vote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from echokit.errors import DataError
from echokit.evaluation.metric_names import METRICS
from echokit.evaluation.rows import RuleDifference, RuleRow, RuleSummary, SkippedRule, TaskSummary
from echokit.evaluation.rule_differences import (
    Outcome,
    Subset,
    differences_from,
    figures,
    mean_by_size,
    winner,
)
from echokit.interfaces import Aggregator, SupportsFit
from echokit.types import Prediction
from echokit.voting.ballots import Ballot, ballots, check_apart, fit, of_views
from echokit.voting.subset_table import SubsetTable
from echokit.voting.table import APPROACH, TASK, PredictionTable

Rules = Mapping[str, Callable[[], Aggregator]]
"""Name of a rule -> a function that makes a new one for each split."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of the rules in one task and approach, in values that JSON has."""

    rows: tuple[RuleRow, ...]
    """A row with metrics for each rule and subset of the views."""
    summary: TaskSummary
    skipped: tuple[SkippedRule, ...]
    """Rules that could not be evaluated, with the reason."""


def compare(
    predictions: PredictionTable,
    crossfit: PredictionTable,
    rules: Rules,
    classes: Mapping[str, tuple[str, ...]],
    views: Sequence[str],
    extra: SubsetTable | None = None,
    *,
    baseline: str,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Iterator[Comparison]:
    """Apply every voting rule to every held-out patient, on every subset of the views.

    A patient votes with the available clips of a subset's views, and is not counted without any.
    A rule that learns is fitted once for each split, on all views of its training patients.

    Args:
        predictions: held-out predictions.
        crossfit: predictions of training patients by networks that did not learn from them;
            without any, no rule can learn.
        rules: the voting rules.
        classes: task -> label names, least severe first.
        views: all views, in their order in the results; n views have 2^n - 1 subsets.
        extra: predictions of subjects by other means than a vote of views.
        baseline: the rule that the others are compared with.
        bootstrap: number of resamples of the patients for the intervals; 0 for no intervals.
        seed: seed of the resampling.

    Yields:
        One comparison for each task and approach.

    Raises:
        DataError: a patient is both held out and a training patient in the same split.
    """
    for (task, approach), table in predictions.groups(TASK, APPROACH):
        names = classes[task]
        held_out = ballots(table, names, views)
        if not held_out:
            continue
        training = ballots(crossfit.where(task=task, approach=approach), names, views)
        check_apart(held_out, training)
        outcomes, skipped = _vote_all(held_out, training, rules, views)
        others = extra.of_approach(task, approach) if extra else None
        more, refused = _outcomes_of(others, held_out, views)
        outcomes |= more
        rows = [
            RuleRow(
                task=task,
                approach=approach,
                method=method,
                views=[view for view in views if view in subset],
                **figures(outcome),
            )
            for method, by_subset in outcomes.items()
            for subset, outcome in by_subset.items()
        ]
        learned = {method for method, make in rules.items() if isinstance(make(), SupportsFit)}
        whole = {method: by_subset[frozenset(views)] for method, by_subset in outcomes.items()}
        differences = (
            dict(differences_from(whole, baseline, bootstrap, seed)) if baseline in whole else {}
        )
        methods = [
            _summarise(method, rows, len(views), method in learned, differences.get(method))
            for method in whole
        ]
        best, clear = _best(methods, differences, baseline)
        yield Comparison(
            rows=tuple(rows),
            summary=TaskSummary(
                task=task,
                approach=approach,
                views=list(views),
                classes=list(names),
                bootstrap=bootstrap,
                n_training_subjects=len({ballot.patient for ballot in training}),
                n_training_ballots=len(training),
                baseline=baseline,
                methods=methods,
                winner=best,
                winner_is_clear=clear,
            ),
            skipped=tuple(
                SkippedRule(task=task, approach=approach, method=method, reason=reason)
                for method, reason in (skipped | refused).items()
            ),
        )


def subsets_of(views: Sequence[str]) -> list[Subset]:
    """List every non-empty subset of the views, small ones first."""
    sizes = range(1, len(views) + 1)
    return [frozenset(chosen) for size in sizes for chosen in combinations(views, size)]


def _vote_all(
    held_out: Sequence[Ballot], training: Sequence[Ballot], rules: Rules, views: Sequence[str]
) -> tuple[dict[str, dict[Subset, Outcome]], dict[str, str]]:
    """Apply the rules: rule -> subset -> outcome, and rule -> reason why it cannot be fitted."""
    outcomes: dict[str, dict[Subset, Outcome]] = {}
    skipped: dict[str, str] = {}
    splits = sorted({ballot.split for ballot in held_out})
    subsets = subsets_of(views)
    # many subsets have the same views of a patient: each rule votes once for all of them
    voting = []
    for ballot in held_out:
        available = {subset.intersection(ballot.votes.voters) for subset in subsets}
        voting.append({part: of_views(ballot.votes, part) for part in available if part})
    for method, make in rules.items():
        try:
            fitted = {
                split: fit(make(), [ballot for ballot in training if ballot.split == split])
                for split in splits
            }
        except DataError as error:
            skipped[method] = str(error)
            continue
        rows: dict[Subset, list[tuple[Ballot, Prediction]]] = {s: [] for s in subsets}
        for ballot, parts in zip(held_out, voting, strict=True):
            predictions = {part: fitted[ballot.split](votes) for part, votes in parts.items()}
            for subset, voted in rows.items():
                if part := subset.intersection(ballot.votes.voters):
                    voted.append((ballot, predictions[part]))
        outcomes[method] = {subset: _outcome(voted) for subset, voted in rows.items() if voted}
    return outcomes, skipped


def _outcome(voted: Sequence[tuple[Ballot, Prediction]]) -> Outcome:
    """Collect the predictions of one rule on one subset."""
    return Outcome(
        split=np.array([ballot.split for ballot, _ in voted]),
        patient=tuple(ballot.patient for ballot, _ in voted),
        truth=np.array([ballot.truth for ballot, _ in voted]),
        predicted=np.array([b.votes.classes.index(prediction.label) for b, prediction in voted]),
        probabilities=np.stack([prediction.probabilities for _, prediction in voted]),
    )


def _outcomes_of(
    extra: SubsetTable | None, held_out: Sequence[Ballot], views: Sequence[str]
) -> tuple[dict[str, dict[Subset, Outcome]], dict[str, str]]:
    """Collect predictions that are no vote of views, if they are of the same patients."""
    outcomes: dict[str, dict[Subset, Outcome]] = {}
    skipped: dict[str, str] = {}
    for method, by_subset in extra.by_method() if extra else ():
        collected = {}
        for subset in subsets_of(views):
            members = [b for b in held_out if subset.intersection(b.votes.voters)]
            predictions = by_subset.get(subset, {})
            absent = [b for b in members if (b.split, b.patient) not in predictions]
            if absent or len(members) != len(predictions):
                skipped[method] = (
                    f"on {'+'.join(sorted(subset, key=views.index))} it has {len(predictions)} "
                    f"predictions where the voting rules have {len(members)}: only predictions of "
                    "the same patients can be compared"
                )
                break
            if members:
                voted = [(b, predictions[b.split, b.patient]) for b in members]
                collected[subset] = _outcome(voted)
        else:
            outcomes[method] = collected
    return outcomes, skipped


def _summarise(
    method: str,
    rows: Sequence[RuleRow],
    n_views: int,
    learned: bool,
    difference: RuleDifference | None,
) -> RuleSummary:
    """Summarise one rule: on all views, and by the number of views."""
    of_rule = [row for row in rows if row["method"] == method]
    (all_views,) = (row for row in of_rule if len(row["views"]) == n_views)
    return RuleSummary(
        method=method,
        learned=learned,
        all_views={name: all_views[name] for name in METRICS},
        by_size=mean_by_size(of_rule),
        lead=difference,
    )


def _best(
    methods: Sequence[RuleSummary], differences: Mapping[str, RuleDifference], baseline: str
) -> tuple[str | None, bool]:
    """Return the rule of the highest F1-score on all views, and whether it is clearly ahead."""
    f1 = {
        summary["method"]: spread["mean"]
        for summary in methods
        if (spread := summary["all_views"]["f1"]) is not None
    }
    return winner(f1, differences, baseline) if f1 else (None, False)
