"""Aggregators that let sequences vote for a view, and views for a patient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from echokit import Aggregator, hookimpl


@hookimpl
def register_aggregators(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add the majority vote."""
    register("majority-vote", majority_vote)


def majority_vote() -> Aggregator:
    """The paper's vote (section 2.3): the label that most voters chose.

    Voters without confidences (sequences of one view):
        tie: the tied label with the larger summed probability, then the more severe;
        confidence: the share of voters that chose the label, C = |y*| / n;
        probabilities: mean over all voters.

    Voters with confidences (views of one patient):
        tie: the tied label whose voters have the larger summed confidence, then the more severe;
        confidence: mean confidence of the voters that chose the label;
        probabilities: those of the most confident voter that chose the label, the paper's rule
        for the multi-view AUROC; of equally confident ones, the one surest of the label.

    Only a label in the tie can win it. Sums are exact, so the order of the voters never matters.

    Returns:
        An aggregator without options; it raises `DataError` on votes that cannot be counted.
    """
    from echokit_voting.majority import vote

    return vote
