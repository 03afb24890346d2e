"""Voting rules of views against each other: every rule on every subset of the views.

What learns is fitted on training patients alone, split by split; held-out patients only vote.
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
    figures,
    leads,
    mean_by_size,
    winner,
)
from echokit.interfaces import Aggregator, SupportsFit
from echokit.types import Prediction
from echokit.voting.ballots import Ballot, ballots, check_apart, fit, of_views
from echokit.voting.subset_table import SubsetTable
from echokit.voting.table import APPROACH, TASK, PredictionTable

Rules = Mapping[str, Callable[[], Aggregator]]
"""Name of a rule -> what makes it, anew for each split."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the rules fared in one task and approach; everything fit for JSON."""

    rows: tuple[RuleRow, ...]
    """One for each rule and subset of the views, with its metrics."""
    summary: TaskSummary
    skipped: tuple[SkippedRule, ...]
    """Rules that could not be judged, and why."""


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
    """Let the views of every held-out patient vote by every rule, on every subset of the views.

    A patient votes with the clips it has of a subset's views, and is not counted where it has
    none. A rule that learns is fitted once for each split, on all views of its training patients.

    Args:
        predictions: held-out predictions.
        crossfit: predictions of training patients by networks that did not learn from them;
            without any, no rule learns.
        rules: the voting rules.
        classes: task -> label names, least severe first.
        views: every view, in the order they are named in; n of them have 2^n - 1 subsets.
        extra: predictions of subjects by other means than a vote of views.
        baseline: the rule that the others are compared with.
        bootstrap: resamples of the patients for the intervals of differences; 0 for none.
        seed: of the resampling.

    Yields:
        One comparison for each task and approach.

    Raises:
        DataError: a patient is held out by a split and to be learned from in it.
    """
    for (task, approach), own in predictions.groups(TASK, APPROACH):
        names = classes[task]
        held_out = ballots(own, names, views)
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
        differences = dict(leads(whole, baseline, bootstrap, seed)) if baseline in whole else {}
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
    """Every non-empty subset of the views, small ones first."""
    sizes = range(1, len(views) + 1)
    return [frozenset(chosen) for size in sizes for chosen in combinations(views, size)]


def _vote_all(
    held_out: Sequence[Ballot], training: Sequence[Ballot], rules: Rules, views: Sequence[str]
) -> tuple[dict[str, dict[Subset, Outcome]], dict[str, str]]:
    """Rule -> subset -> outcome, and the rules that could not be fitted with the reason."""
    outcomes: dict[str, dict[Subset, Outcome]] = {}
    skipped: dict[str, str] = {}
    splits = sorted({one.split for one in held_out})
    subsets = subsets_of(views)
    voting = []  # for each patient: most subsets differ only in views that it lacks
    for one in held_out:
        found = {subset.intersection(one.votes.voters) for subset in subsets}
        voting.append({present: of_views(one.votes, present) for present in found if present})
    for method, make in rules.items():
        try:
            fitted = {
                split: fit(make(), [one for one in training if one.split == split])
                for split in splits
            }
        except DataError as error:
            skipped[method] = str(error)
            continue
        rows: dict[Subset, list[tuple[Ballot, Prediction]]] = {s: [] for s in subsets}
        for one, parts in zip(held_out, voting, strict=True):
            said = {present: fitted[one.split](votes) for present, votes in parts.items()}
            for subset, voted in rows.items():
                if present := subset.intersection(one.votes.voters):
                    voted.append((one, said[present]))
        outcomes[method] = {subset: _outcome(voted) for subset, voted in rows.items() if voted}
    return outcomes, skipped


def _outcome(voted: Sequence[tuple[Ballot, Prediction]]) -> Outcome:
    return Outcome(
        split=np.array([one.split for one, _ in voted]),
        patient=tuple(one.patient for one, _ in voted),
        truth=np.array([one.truth for one, _ in voted]),
        predicted=np.array([one.votes.classes.index(said.label) for one, said in voted]),
        probabilities=np.stack([said.probabilities for _, said in voted]),
    )


def _outcomes_of(
    extra: SubsetTable | None, held_out: Sequence[Ballot], views: Sequence[str]
) -> tuple[dict[str, dict[Subset, Outcome]], dict[str, str]]:
    """Put predictions of subjects made by other means beside those of the rules, if they can be."""
    outcomes: dict[str, dict[Subset, Outcome]] = {}
    skipped: dict[str, str] = {}
    for method, given in extra.by_method() if extra else ():
        found = {}
        for subset in subsets_of(views):
            own = [one for one in held_out if subset.intersection(one.votes.voters)]
            mine = given.get(subset, {})
            absent = [one for one in own if (one.split, one.patient) not in mine]
            if absent or len(own) != len(mine):
                skipped[method] = (
                    f"on {'+'.join(sorted(subset, key=views.index))} it judges {len(mine)} times "
                    f"where the voting rules judge {len(own)} times: only like can be compared"
                )
                break
            if own:
                voted = [(one, mine[one.split, one.patient]) for one in own]
                found[subset] = _outcome(voted)
        else:
            outcomes[method] = found
    return outcomes, skipped


def _summarise(
    method: str,
    rows: Sequence[RuleRow],
    n_views: int,
    learned: bool,
    difference: RuleDifference | None,
) -> RuleSummary:
    """Summarise one rule: on all views, and by the number of views."""
    own = [row for row in rows if row["method"] == method]
    (everything,) = (row for row in own if len(row["views"]) == n_views)
    return RuleSummary(
        method=method,
        learned=learned,
        all_views={name: everything[name] for name in METRICS},
        by_size=mean_by_size(own),
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
