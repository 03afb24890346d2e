"""Stacking: a logistic regression over what the voters say."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float64

from echokit import Prediction, Votes
from echokit_voting.checks import check_votes
from echokit_voting.training import LEAST, Ballot, ballot, check_fitted, check_strength, examples

RULE = "stacking"
RIGHT = 0.9
"""Probability of the true label that every voter gives it in a made-up subject."""


class Stacking:
    """A voting rule that learns how far to trust each voter; see `echokit_voting.stacking`."""

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
            DataError: there is nobody to learn from, or votes and labels do not fit together.
        """
        from sklearn.linear_model import LogisticRegression

        given = examples(votes, labels)
        k = len(given.classes)
        made_up = [_all_right(given.names, label, k) for label in range(k)]
        ballots = [*given.ballots, *made_up]
        model = LogisticRegression(C=1 / self.l2, max_iter=5000)
        model.fit(
            np.stack([features(one, given.names) for one in ballots]),
            [*given.truth, *range(k)],
            sample_weight=[*given.weights, *[1.0] * k],
        )
        slopes, intercept = np.asarray(model.coef_), np.asarray(model.intercept_)
        if k == 2:  # scikit-learn keeps the second class's side only
            slopes, intercept = np.vstack([0 * slopes, slopes]), np.array([0.0, intercept[0]])
        self.classes, self.names = given.classes, given.names
        self.weights, self.intercept = slopes, intercept

    def __call__(self, votes: Votes) -> Prediction:
        """Return the most probable label, its probability and those of all classes.

        Raises:
            DataError: it has not learned, or not of these classes; or the votes are no votes.
        """
        check_votes(votes)
        check_fitted(RULE, self.classes, votes)
        logits = self.weights @ features(ballot(votes), self.names) + self.intercept
        odds = np.exp(logits - logits.max())
        probabilities = odds / odds.sum()
        winner = max(range(len(logits)), key=lambda label: (probabilities[label], label))
        return Prediction(votes.classes[winner], float(probabilities[winner]), probabilities)


def features(one: Ballot, names: tuple[str, ...]) -> Float64[np.ndarray, " F"]:
    """What the regression sees of a ballot: F = K + len(names) (K + 1) numbers.

    The evidence of a voter is its log-probabilities less their mean. First comes the mean
    evidence of all voters, then for each name its own (of several clips the mean; 0 where it is
    missing) and 1 where it is missing.
    """
    logs = np.log(np.maximum(one.probabilities, LEAST))
    n, k = logs.shape
    evidence = logs - logs.sum(axis=1, keepdims=True) / k
    who = np.array([[name == other for other in one.names] for name in names], float)
    clips = who.sum(axis=1, keepdims=True)
    own = who @ evidence / np.maximum(clips, 1)  # (names, K)
    return np.concatenate([evidence.sum(axis=0) / n, np.hstack([own, clips == 0]).ravel()])


def _all_right(names: tuple[str, ...], label: int, k: int) -> Ballot:
    """A subject on whom every voter is right, and fairly sure."""
    row = np.full(k, (1 - RIGHT) / max(k - 1, 1))
    row[label] = RIGHT
    return Ballot(names, np.tile(row, (len(names), 1)), np.full(len(names), RIGHT))
