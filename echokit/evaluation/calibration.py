"""Measure calibration, fit temperatures and compute accuracy against coverage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from echokit.errors import DataError

BINS = 10
LEAST = float(np.finfo(np.float64).eps)
"""Smaller probabilities are raised to it, so that logarithms stay finite, as in scikit-learn."""
COLDEST, HOTTEST = 0.05, 20.0
"""Range of temperatures."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of similar confidence."""

    confidence: float
    """Mean confidence in [0, 1]."""
    accuracy: float
    """Share of correct predictions."""
    n: int
    """Number of predictions, at least 1."""


@dataclass(frozen=True, slots=True)
class Selective:
    """Accuracy against coverage: the least confident predictions are left undecided."""

    coverage: Float[np.ndarray, " g"]
    """Share of predictions kept, rising to 1; equally confident ones are kept together."""
    accuracy: Float[np.ndarray, " g"]
    """Share of correct predictions among those kept."""
    aurc: float
    """Area under the curve of risk (1 - accuracy) against coverage, in [0, 1]; lower is better."""
    error: float
    """Share of all predictions that are wrong: the `aurc` of a constant confidence."""

    def at(self, coverage: float) -> float:
        """Return the accuracy at the smallest coverage of at least this share."""
        return float(self.accuracy[np.argmax(self.coverage >= coverage - 1e-9)])


def top_label(
    probabilities: Float[np.ndarray, "n K"], truth: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Return the confidence of each row's most probable label, and whether it is the true one.

    Args:
        probabilities: class probabilities, rows summing to 1.
        truth: index of each row's true label.
    """
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == truth


def reliability(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], bins: int = BINS
) -> tuple[Bin, ...]:
    """Group predictions into bins of equal width by confidence, without empty bins.

    Args:
        confidence: probability of a label or confidence of a vote, in [0, 1].
        right: whether each prediction is correct.
        bins: number of bins; a bin includes its upper edge, the first one also 0.
    """
    index = _bin_of(confidence, bins)
    return tuple(
        Bin(float(confidence[rows].mean()), float(right[rows].mean()), int(rows.sum()))
        for rows in (index == i for i in np.unique(index))
    )


def expected_calibration_error(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], bins: int = BINS
) -> float:
    """Compute the expected calibration error, in [0, 1].

    It is the mean distance between confidence and accuracy over bins of equal width, weighted by
    their size (Guo et al. 2017, arXiv:1706.04599, equation 3). With few predictions it is above 0
    even for a perfectly calibrated confidence: see `error_by_chance`.
    """
    return sum(
        group.n / len(confidence) * abs(group.accuracy - group.confidence)
        for group in reliability(confidence, right, bins)
    )


def error_by_chance(
    confidence: Float[np.ndarray, " n"],
    rng: np.random.Generator,
    bins: int = BINS,
    draws: int = 500,
) -> float:
    """Compute the expected calibration error that a perfectly calibrated confidence would have.

    Outcomes are drawn with the given probabilities (consistency resampling: Bröcker and Smith 2007,
    doi:10.1175/WAF993.1), so that a measured error can be compared with that of chance alone.

    Returns:
        The mean over the draws, in [0, 1].
    """
    member = np.eye(bins)[_bin_of(confidence, bins)]  # (n, bins)
    right = rng.random((draws, len(confidence))) < confidence
    excess = (right - confidence) @ member  # (draws, bins)
    return float(np.abs(excess).sum(axis=1).mean() / len(confidence))


def _bin_of(confidence: Float[np.ndarray, " n"], bins: int) -> Int[np.ndarray, " n"]:
    """Return the index of each row's bin."""
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)


def brier(probabilities: Float[np.ndarray, "n K"], truth: Int[np.ndarray, " n"]) -> float:
    """Compute the Brier score: mean squared distance from the truth, summed over all K labels.

    In [0, 2] (Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2). For two labels it
    is twice the score that scikit-learn's `brier_score_loss` gives by default.
    """
    distance = probabilities - np.eye(probabilities.shape[1])[truth]
    return float((distance**2).sum(axis=1).mean())


def negative_log_likelihood(
    probabilities: Float[np.ndarray, "n K"], truth: Int[np.ndarray, " n"]
) -> float:
    """Compute the mean of -ln p(true label), where p is at least `LEAST`."""
    likelihood = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(likelihood, LEAST)).mean())


def apply_temperature(
    probabilities: Float[np.ndarray, "n K"], temperature: float
) -> Float[np.ndarray, "n K"]:
    """Soften (T > 1) or sharpen (T < 1) probabilities: softmax(ln p / T), in the same order."""
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), LEAST))
    return np.asarray(softmax(logits / temperature, axis=1))


def fit_temperature(probabilities: Float[np.ndarray, "n K"], truth: Int[np.ndarray, " n"]) -> float:
    """Fit the temperature of the smallest negative log-likelihood (Guo et al. 2017, section 4.2).

    ln p replaces the logits, from which it differs by a constant that softmax cancels.

    Args:
        probabilities: predictions of patients from whom their network did not learn.
        truth: index of each row's true label.

    Returns:
        T in [0.05, 20]; an end of the range if no row, or every row, is clearly correct.

    Raises:
        DataError: there are no rows.
    """
    if not len(truth):
        raise DataError("A temperature cannot be fitted without predictions: give at least one.")
    optimum = minimize_scalar(  # a single minimum: the likelihood is convex in 1 / T
        lambda log_t: negative_log_likelihood(
            apply_temperature(probabilities, float(np.exp(log_t))), truth
        ),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.clip(np.exp(optimum.x), COLDEST, HOTTEST))


def selective(confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> Selective:
    """Compute accuracy against coverage.

    Selective prediction: El-Yaniv and Wiener 2010 (JMLR 11:1605). Area AURC: Geifman et al. 2019,
    arXiv:1805.08206. Equally confident predictions enter the area in random order, averaged over
    all orders, so that the area of a constant confidence is the error rate.

    Raises:
        DataError: there are no predictions.
    """
    if not len(confidence):
        raise DataError("Accuracy against coverage cannot be computed without predictions.")
    _, group, size = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(group, weights=~right)
    kept = size.cumsum()
    expected = np.repeat(wrong / size, size).cumsum()  # errors of the i + 1 most confident
    risk = expected / np.arange(1, len(confidence) + 1)
    return Selective(
        coverage=kept / len(confidence),
        accuracy=1 - wrong.cumsum() / kept,
        aurc=float(risk.mean()),
        error=float((~right).mean()),
    )
