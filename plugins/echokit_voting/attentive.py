"""Attention: how much each voter that is present is listened to, learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Float64

from echokit import Prediction, Votes
from echokit_voting.checks import check_votes
from echokit_voting.pooling import confidences, pool
from echokit_voting.training import LEAST, Examples, check_fitted, check_strength, examples

Loss = Callable[[Float64[np.ndarray, " P"]], tuple[float, Float64[np.ndarray, " P"]]]

RULE = "attention"
SLOPES = 2
"""Of a voter's score by its certainty and by its confidence."""


class Attention:
    """A voting rule that learns whom to listen to; see `echokit_voting.attention`."""

    def __init__(self, l2: float = 1.0) -> None:
        check_strength(RULE, l2)
        self.l2 = l2
        self.classes: tuple[str, ...] | None = None
        self.biases: dict[str, float] = {}
        self.slopes: Float64[np.ndarray, " 2"] = np.zeros(SLOPES)

    def fit(self, votes: Iterable[Votes], labels: Iterable[str]) -> None:
        """Learn from training patients: L-BFGS on the negative log-likelihood, from equal trust.

        Raises:
            DataError: there is nobody to learn from, or votes and labels do not fit together.
        """
        from scipy.optimize import minimize

        given = examples(votes, labels)
        start = np.zeros(len(given.names) + SLOPES)
        found = minimize(_loss(given, self.l2), start, jac=True, method="L-BFGS-B")
        self.classes = given.classes
        self.biases = dict(zip(given.names, found.x[:-SLOPES].tolist(), strict=True))
        self.slopes = found.x[-SLOPES:]

    def __call__(self, votes: Votes) -> Prediction:
        """Return the most probable label of the mixture, its probability and those of all classes.

        Raises:
            DataError: it has not learned, or not of these classes; or the votes are no votes.
        """
        check_votes(votes)
        check_fitted(RULE, self.classes, votes)
        biases = np.array([self.biases.get(name, 0.0) for name in votes.voters])
        sure = certainty(np.asarray(votes.probabilities, np.float64), confidences(votes))
        scores = biases + self.slopes[0] * sure[:, 0] + self.slopes[1] * sure[:, 1]
        return pool(votes, np.exp(scores - scores.max()))


def certainty(
    probabilities: Float64[np.ndarray, "n K"], confidences: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "n 2"]:
    """What a voter's score depends on besides its name.

    One minus the entropy of its probabilities as a share of the largest possible, and its
    confidence; both in [0, 1].
    """
    logs = np.log(np.maximum(probabilities, LEAST))
    entropy = -(probabilities * logs).sum(axis=1) / np.log(max(probabilities.shape[1], 2))
    return np.stack([1 - entropy, confidences], axis=1)


def _loss(given: Examples, l2: float) -> Loss:
    """The penalised negative log-likelihood of the mixture, and its gradient."""
    lengths = [len(one.names) for one in given.ballots]
    of = np.repeat(np.arange(len(lengths)), lengths)  # the ballot of each voter
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    who = np.array([given.names.index(name) for one in given.ballots for name in one.names])
    sure = np.concatenate([certainty(one.probabilities, one.confidences) for one in given.ballots])
    right = np.concatenate(
        [one.probabilities[:, y] for one, y in zip(given.ballots, given.truth, strict=True)]
    ).clip(LEAST, 1.0)
    names = len(given.names)

    def loss(theta: Float64[np.ndarray, " P"]) -> tuple[float, Float64[np.ndarray, " P"]]:
        scores = theta[:names][who] + sure @ theta[names:]
        odds = np.exp(scores - np.maximum.reduceat(scores, starts)[of])
        attention = odds / np.add.reduceat(odds, starts)[of]
        mixture = np.add.reduceat(attention * right, starts)
        value = -(given.weights * np.log(mixture)).sum() + l2 / 2 * (theta**2).sum()
        slope = -given.weights[of] * attention * (right / mixture[of] - 1)
        by_name = np.bincount(who, weights=slope, minlength=names)
        return float(value), np.concatenate([by_name, slope @ sure]) + l2 * theta

    return loss
