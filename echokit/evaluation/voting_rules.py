"""Voting rules of views against each other: every rule on every subset of the views.

What learns is fitted on training patients alone, split by split; held-out patients only vote.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from echokit.errors import DataError
from echokit.evaluation.metric_names import METRICS
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
from echokit.voting.ballots import Ballot, ballots, check_apart, of_views

BASELINE = "majority-vote"
"""The paper's rule, which the others are held against."""

Rules = Mapping[str, Callable[[], Aggregator]]
"""Name of a rule -> what makes it, anew for each split."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the rules fared in one task and approach; everything fit for JSON."""

    rows: tuple[dict[str, Any], ...]
    """One for each rule and subset of the views, with its metrics."""
    summary: dict[str, Any]
    skipped: tuple[dict[str, str], ...]
    """Rules that could not be judged, and why."""


def compare(
    predictions: pd.DataFrame,
    crossfit: pd.DataFrame | None,
    rules: Rules,
    classes: Mapping[str, tuple[str, ...]],
    views: Sequence[str],
    extra: pd.DataFrame | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Iterator[Comparison]:
    """Let the views of every held-out patient vote by every rule, on every subset of the views.

    A patient votes with the clips it has of a subset's views, and is not counted where it has
    none. A rule that learns is fitted once for each split, on all views of its training patients.

    Args:
        predictions: held-out predictions, the rows of `predictions.parquet`.
        crossfit: predictions of training patients by networks that did not learn from them, the
            rows of `crossfit.parquet`; None where there are none, and then nothing learns.
        rules: the voting rules.
        classes: task -> label names, least severe first.
        views: every view, in the order they are named in; n of them have 2^n - 1 subsets.
        extra: predictions of subjects by other means than a vote of views, with a `method`, and
            the subset's views as `PLAX+A4C` or as a list.
        bootstrap: resamples of the patients for the intervals of leads; 0 for none.
        seed: of the resampling.

    Yields:
        One comparison for each task and approach.

    Raises:
        DataError: a patient is held out by a split and to be learned from in it.
    """
    clips = predictions[predictions["level"] == "view"]
    for place, _ in clips.groupby(["task", "approach"], sort=False, observed=True):
        task, approach = map(str, place)
        here = [_of(table, task, approach) for table in (predictions, crossfit, extra)]
        names = classes[task]
        held_out = ballots(here[0], names, views)
        training = ballots(here[1], names, views)
        if not held_out:
            continue
        check_apart(held_out, training)
        outcomes, skipped = _vote_all(held_out, training, rules, views)
        more, refused = _outcomes_of(here[2], held_out, names, views)
        outcomes |= more
        head: dict[str, Any] = {"task": task, "approach": approach}
        rows = [
            head | {"method": method, "views": [v for v in views if v in subset]} | figures(outcome)
            for method, by_subset in outcomes.items()
            for subset, outcome in by_subset.items()
        ]
        said = {"views": list(views), "classes": list(names), "bootstrap": bootstrap}
        learned = {method for method, make in rules.items() if isinstance(make(), SupportsFit)}
        whole = {method: one[frozenset(views)] for method, one in outcomes.items()}
        yield Comparison(
            rows=tuple(rows),
            summary=head
            | said
            | _fitted_on(training)
            | _summary(rows, whole, learned, len(views), bootstrap, seed),
            skipped=tuple(
                head | {"method": m, "reason": w} for m, w in (skipped | refused).items()
            ),
        )


def _of(table: pd.DataFrame | None, task: str, approach: str) -> pd.DataFrame | None:
    if table is None:
        return None
    return table[(table["task"] == task) & (table["approach"] == approach)]


def subsets_of(views: Sequence[str]) -> list[Subset]:
    """Every non-empty subset of the views, small ones first."""
    sizes = range(1, len(views) + 1)
    return [frozenset(chosen) for size in sizes for chosen in combinations(views, size)]


def fit(aggregate: Aggregator, training: Sequence[Ballot]) -> Aggregator:
    """Fit a rule on training patients if it learns; return it.

    Raises:
        DataError: it learns, and there is nobody to learn from.
    """
    if isinstance(aggregate, SupportsFit):
        if not training:
            raise DataError(
                "there are no training patients, judged by inner networks, to learn from "
                "(crossfit.folds=2 makes them)"
            )
        votes = [one.votes for one in training]
        aggregate.fit(votes, [one.votes.classes[one.truth] for one in training])
    return aggregate


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
    extra: pd.DataFrame | None,
    held_out: Sequence[Ballot],
    classes: tuple[str, ...],
    views: Sequence[str],
) -> tuple[dict[str, dict[Subset, Outcome]], dict[str, str]]:
    """Put predictions of subjects made elsewhere beside those of the rules, if they can be."""
    outcomes: dict[str, dict[Subset, Outcome]] = {}
    skipped: dict[str, str] = {}
    if extra is None:
        return outcomes, skipped
    for name, table in extra.groupby("method", sort=False):
        method = str(name)
        given: dict[Subset, dict[tuple[int, str], Prediction]] = {}
        for row in table.to_dict("records"):
            subset = frozenset(
                row["views"].split("+") if isinstance(row["views"], str) else row["views"]
            )
            said = Prediction(row["predicted"], row["confidence"], np.array(row["probabilities"]))
            given.setdefault(subset, {})[row["split"], row["patient"]] = said
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


def _fitted_on(training: Sequence[Ballot]) -> dict[str, Any]:
    patients = {one.patient for one in training}
    return {"n_training_subjects": len(patients), "n_training_ballots": len(training)}


def _summary(
    rows: Sequence[Mapping[str, Any]],
    whole: Mapping[str, Outcome],
    learned: Collection[str],
    n_views: int,
    bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    """Every rule in short, and which is ahead on all views."""
    lead = dict(leads(whole, BASELINE, bootstrap, seed)) if BASELINE in whole else {}
    methods: list[dict[str, Any]] = []
    for method in whole:
        own = [row for row in rows if row["method"] == method]
        (everything,) = (row for row in own if len(row["views"]) == n_views)
        metrics = {name: everything[name] for name in METRICS}
        methods.append(
            {
                "method": method,
                "learned": method in learned,
                "all_views": metrics,
                "by_size": mean_by_size(own),
                "lead": lead.get(method),
            }
        )
    f1 = {one["method"]: one["all_views"]["f1"]["mean"] for one in methods}
    best, clear = winner(f1, lead, BASELINE) if f1 else (None, False)
    return {"baseline": BASELINE, "methods": methods, "winner": best, "winner_is_clear": clear}
