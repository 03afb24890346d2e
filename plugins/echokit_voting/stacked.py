"""The rule `stacking`: a logistic regression on the voters' probabilities."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float64

from echokit import Prediction, Votes
from echokit_voting.checks import check_votes
from echokit_voting.training import (
    LEAST,
    Ballot,
    check_fitted,
    check_strength,
    examples,
    ordered_ballot,
)

RULE = "stacking"
RIGHT = 0.9
"""Probability that every voter gives the true label of an artificial subject."""


class Stacking:
    """A voting rule that learns weights of voters and labels; see `echokit_voting.stacking`."""

    def __init__(self, l2: float = 1.0) -> None:
        check_strength(RULE, l2)
        self.l2 = l2
        self.classes: tuple[str, ...] | None = None
        self.names: tuple[str, ...] = ()
        self.weights: Float64[np.ndarray, "K F"] = np.empty((0, 0))
        self.intercept: Float64[np.ndarray, " K"] = np.empty(0)

    def fit(self, votes: Iterable[Votes], labels: Iterable[str]) -> None:
        """Learn from training patients.

        Raises:
            DataError: there are no votes to learn from, or votes and labels do not fit together.
        """
        from sklearn.linear_model import LogisticRegression  # not needed to apply a learned rule

        training = examples(votes, labels)
        k = len(training.classes)
        artificial = [_all_right(training.names, label, k) for label in range(k)]
        ballots = [*training.ballots, *artificial]
        model = LogisticRegression(C=1 / self.l2, max_iter=5000)
        model.fit(
            np.stack([features(ballot, training.names) for ballot in ballots]),
            [*training.truth, *range(k)],
            sample_weight=[*training.weights, *[1.0] * k],
        )
        slopes, intercept = np.asarray(model.coef_), np.asarray(model.intercept_)
        if k == 2:  # of two classes scikit-learn keeps only the second one's coefficients
            slopes, intercept = np.vstack([0 * slopes, slopes]), np.array([0.0, intercept[0]])
        self.classes, self.names = training.classes, training.names
        self.weights, self.intercept = slopes, intercept

    def __call__(self, votes: Votes) -> Prediction:
        """Return the most probable label, with the probabilities of all classes.

        Raises:
            DataError: the rule has not learned these classes, or the votes cannot be counted.
        """
        check_votes(votes)
        check_fitted(RULE, self.classes, votes)
        logits = self.weights @ features(ordered_ballot(votes), self.names) + self.intercept
        odds = np.exp(logits - logits.max())  # shifted, so that nothing overflows
        probabilities = odds / odds.sum()
        winner = max(range(len(logits)), key=lambda label: (probabilities[label], label))
        return Prediction(votes.classes[winner], float(probabilities[winner]), probabilities)


def features(ballot: Ballot, names: tuple[str, ...]) -> Float64[np.ndarray, " F"]:
    """Compute the regression's features of a ballot: F = K + len(names) (K + 1) numbers.

    The evidence of a voter is its log-probabilities minus their mean. The first K features are the
    mean evidence of all voters. For each name follow its evidence (the mean over several clips; 0
    if it is missing) and an indicator that is 1 if it is missing.
    """
    logs = np.log(np.maximum(ballot.probabilities, LEAST))
    n, k = logs.shape
    evidence = logs - logs.sum(axis=1, keepdims=True) / k
    matches = np.array([[name == voter for voter in ballot.names] for name in names], float)
    clips = matches.sum(axis=1, keepdims=True)
    by_name = matches @ evidence / np.maximum(clips, 1)  # (names, K)
    return np.concatenate([evidence.sum(axis=0) / n, np.hstack([by_name, clips == 0]).ravel()])


def _all_right(names: tuple[str, ...], label: int, k: int) -> Ballot:
    """Make the ballot of an artificial subject on whom every voter is right."""
    row = np.full(k, (1 - RIGHT) / max(k - 1, 1))
    row[label] = RIGHT
    return Ballot(names, np.tile(row, (len(names), 1)), np.full(len(names), RIGHT))
