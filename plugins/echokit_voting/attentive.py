"""The rule `attention`: learned weights of the voters that are present."""

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
"""Number of slopes of a voter's score: one by its certainty, one by its confidence."""


class Attention:
    """A voting rule that learns weights of voters; see `echokit_voting.attention`."""

    def __init__(self, l2: float = 1.0) -> None:
        check_strength(RULE, l2)
        self.l2 = l2
        self.classes: tuple[str, ...] | None = None
        self.biases: dict[str, float] = {}
        self.slopes: Float64[np.ndarray, " 2"] = np.zeros(SLOPES)

    def fit(self, votes: Iterable[Votes], labels: Iterable[str]) -> None:
        """Learn from training patients by L-BFGS, starting at equal weights.

        Raises:
            DataError: there are no votes to learn from, or votes and labels do not fit together.
        """
        from scipy.optimize import minimize  # not needed to apply a rule that has learned

        training = examples(votes, labels)
        start = np.zeros(len(training.names) + SLOPES)
        minimum = minimize(_loss(training, self.l2), start, jac=True, method="L-BFGS-B")
        self.classes = training.classes
        self.biases = dict(zip(training.names, minimum.x[:-SLOPES].tolist(), strict=True))
        self.slopes = minimum.x[-SLOPES:]

    def __call__(self, votes: Votes) -> Prediction:
        """Return the most probable label of the mixture, with the probabilities of all classes.

        Raises:
            DataError: the rule has not learned these classes, or the votes cannot be counted.
        """
        check_votes(votes)
        check_fitted(RULE, self.classes, votes)
        biases = np.array([self.biases.get(name, 0.0) for name in votes.voters])
        certain = certainty(np.asarray(votes.probabilities, np.float64), confidences(votes))
        scores = biases + self.slopes[0] * certain[:, 0] + self.slopes[1] * certain[:, 1]
        return pool(votes, np.exp(scores - scores.max()))


def certainty(
    probabilities: Float64[np.ndarray, "n K"], confidences: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "n 2"]:
    """Compute what a voter's score depends on besides its name.

    These are one minus the entropy of its probabilities, as a share of the largest possible, and
    its confidence; both in [0, 1].
    """
    logs = np.log(np.maximum(probabilities, LEAST))
    entropy = -(probabilities * logs).sum(axis=1) / np.log(max(probabilities.shape[1], 2))
    return np.stack([1 - entropy, confidences], axis=1)


def _loss(training: Examples, l2: float) -> Loss:
    """Make the penalised negative log-likelihood of the mixture, with its gradient.

    The voters of all ballots stand in one array, ballot after ballot; sums over a ballot are taken
    by `reduceat`.
    """
    ballots = training.ballots
    lengths = [len(ballot.names) for ballot in ballots]
    ballot_of = np.repeat(np.arange(len(lengths)), lengths)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    name_of = np.array([training.names.index(n) for ballot in ballots for n in ballot.names])
    certain = np.concatenate([certainty(b.probabilities, b.confidences) for b in ballots])
    right = np.concatenate(
        [ballot.probabilities[:, y] for ballot, y in zip(ballots, training.truth, strict=True)]
    ).clip(LEAST, 1.0)
    names = len(training.names)

    def loss(theta: Float64[np.ndarray, " P"]) -> tuple[float, Float64[np.ndarray, " P"]]:
        scores = theta[:names][name_of] + certain @ theta[names:]
        odds = np.exp(scores - np.maximum.reduceat(scores, starts)[ballot_of])
        attention = odds / np.add.reduceat(odds, starts)[ballot_of]
        mixture = np.add.reduceat(attention * right, starts)
        value = -(training.weights * np.log(mixture)).sum() + l2 / 2 * (theta**2).sum()
        # derivative by each voter's score: softmax weights times (probability / mixture - 1)
        slope = -training.weights[ballot_of] * attention * (right / mixture[ballot_of] - 1)
        by_name = np.bincount(name_of, weights=slope, minlength=names)
        return float(value), np.concatenate([by_name, slope @ certain]) + l2 * theta

    return loss
