"""Whether a stated probability is a frequency: calibration, temperature, selective prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from echokit.errors import DataError

BINS = 10
LEAST = float(np.finfo(np.float64).eps)
"""Probabilities below it count as it, so that their logarithm is finite; scikit-learn's choice."""
COLDEST, HOTTEST = 0.05, 20.0
"""Temperatures are looked for between these."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about the same confidence."""

    confidence: float
    """Their mean confidence in [0, 1]."""
    accuracy: float
    """Share of them that is right."""
    n: int
    """How many, at least 1."""


@dataclass(frozen=True, slots=True)
class Selective:
    """How often predictions are right if the least confident are left undecided."""

    coverage: Float[np.ndarray, " g"]
    """Share of predictions that is kept, rising to 1; equally confident ones stay together."""
    accuracy: Float[np.ndarray, " g"]
    """Share of the kept ones that is right."""
    aurc: float
    """Area under the curve of risk (1 - accuracy) against coverage, in [0, 1]; lower is better."""
    error: float
    """Share of all predictions that is wrong: what `aurc` is for a confidence that says nothing."""

    def at(self, coverage: float) -> float:
        """Accuracy if at least this share of the predictions is kept, and no more than need be."""
        return float(self.accuracy[np.argmax(self.coverage >= coverage - 1e-9)])


def top_label(
    probabilities: Float[np.ndarray, "n K"], truth: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Confidence in the most probable label of each row, and whether that label is the true one.

    Args:
        probabilities: class probabilities, rows summing to 1.
        truth: index of each row's true label.
    """
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == truth


def reliability(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], bins: int = BINS
) -> tuple[Bin, ...]:
    """Divide predictions into bins of equal width by confidence; the empty ones are left out.

    Args:
        confidence: of a label's probability or of a vote, in [0, 1].
        right: whether each prediction is the true label.
        bins: how many; a bin holds its upper edge, the first one 0 as well.
    """
    of_row = _bin_of(confidence, bins)
    return tuple(
        Bin(float(confidence[here].mean()), float(right[here].mean()), int(here.sum()))
        for here in (of_row == i for i in np.unique(of_row))
    )


def expected_calibration_error(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], bins: int = BINS
) -> float:
    """Mean distance between confidence and accuracy over the bins, weighted by their size.

    In [0, 1]. Top-label, bins of equal width (Guo et al. 2017, arXiv:1706.04599, equation 3). It
    is never 0 on few predictions, however honest: see `error_by_chance`.
    """
    return sum(
        one.n / len(confidence) * abs(one.accuracy - one.confidence)
        for one in reliability(confidence, right, bins)
    )


def error_by_chance(
    confidence: Float[np.ndarray, " n"],
    rng: np.random.Generator,
    bins: int = BINS,
    draws: int = 500,
) -> float:
    """The expected calibration error to be seen if every confidence were exactly a frequency.

    Outcomes are drawn with the stated probabilities (consistency resampling: Bröcker and Smith
    2007, doi:10.1175/WAF993.1), so that an error can be held against what chance alone gives.

    Returns:
        The mean over the draws, in [0, 1].
    """
    member = np.eye(bins)[_bin_of(confidence, bins)]  # (n, bins)
    right = rng.random((draws, len(confidence))) < confidence
    excess = (right - confidence) @ member  # (draws, bins)
    return float(np.abs(excess).sum(axis=1).mean() / len(confidence))


def _bin_of(confidence: Float[np.ndarray, " n"], bins: int) -> Int[np.ndarray, " n"]:
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)


def brier(probabilities: Float[np.ndarray, "n K"], truth: Int[np.ndarray, " n"]) -> float:
    """Mean squared distance of the probabilities from the truth, summed over all K labels.

    In [0, 2] (Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2). For two labels it
    is twice the score that scikit-learn's `brier_score_loss` gives by default.
    """
    distance = probabilities - np.eye(probabilities.shape[1])[truth]
    return float((distance**2).sum(axis=1).mean())


def negative_log_likelihood(
    probabilities: Float[np.ndarray, "n K"], truth: Int[np.ndarray, " n"]
) -> float:
    """Mean of -ln p(true label), p being no less than `LEAST`."""
    given = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(given, LEAST)).mean())


def apply_temperature(
    probabilities: Float[np.ndarray, "n K"], temperature: float
) -> Float[np.ndarray, "n K"]:
    """Soften (T > 1) or sharpen (T < 1) probabilities: softmax(ln p / T); their order stays."""
    from scipy.special import softmax

    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), LEAST))
    return np.asarray(softmax(logits / temperature, axis=1))


def fit_temperature(probabilities: Float[np.ndarray, "n K"], truth: Int[np.ndarray, " n"]) -> float:
    """The temperature of least negative log-likelihood (Guo et al. 2017, section 4.2).

    ln p stands for the logits, from which it differs by a constant that softmax takes away.

    Args:
        probabilities: of predictions that no network learned from.
        truth: index of each row's true label.

    Returns:
        T in [0.05, 20]; an end of it where no row, or every row, is right with room to spare.

    Raises:
        DataError: there is no row.
    """
    from scipy.optimize import minimize_scalar

    if not len(truth):
        raise DataError("A temperature is fitted on predictions, and there are none: give some.")
    found = minimize_scalar(  # one minimum: the likelihood is convex in 1 / T
        lambda log_t: negative_log_likelihood(
            apply_temperature(probabilities, float(np.exp(log_t))), truth
        ),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.clip(np.exp(found.x), COLDEST, HOTTEST))


def selective(confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> Selective:
    """Accuracy against coverage as ever less confident predictions are kept.

    Selective prediction: El-Yaniv and Wiener 2010 (JMLR 11:1605); the area AURC: Geifman et al.
    2019, arXiv:1805.08206. The area takes equally confident predictions in random order, in the
    mean over all orders, so that a constant confidence has the error rate as its area.

    Raises:
        DataError: there is no prediction.
    """
    if not len(confidence):
        raise DataError("A curve of coverage is made of predictions, and there are none.")
    _, group, size = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(group, weights=~right)
    kept = size.cumsum()
    expected = np.repeat(wrong / size, size).cumsum()  # errors among the i + 1 most confident
    risk = expected / np.arange(1, len(confidence) + 1)
    return Selective(
        coverage=kept / len(confidence),
        accuracy=1 - wrong.cumsum() / kept,
        aurc=float(risk.mean()),
        error=float((~right).mean()),
    )
