"""Measure how far a vector lies from those of the training clips.

The distance is Mahalanobis's, as for features of networks in Lee et al. 2018 (arXiv:1807.03888),
here of one normal distribution for all labels, with the covariance shrunk as Ledoit and Wolf 2004
(doi:10.1016/S0047-259X(03)00096-4), because there are fewer clips than a free covariance takes.
Distances are compared with those of clips that the distribution was not fitted on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

LARGEST = 1e6
"""Standardised values beyond are cut, so that squares stay finite."""


@dataclass(frozen=True, slots=True)
class Normal:
    """A normal distribution of standardised vectors."""

    centre: Float64[np.ndarray, " d"]
    """Median of each number."""
    spread: Float64[np.ndarray, " d"]
    """Robust standard deviation of each number, positive."""
    shift: Float64[np.ndarray, " d"]
    """Mean of the standardised vectors."""
    precision: Float64[np.ndarray, "d d"]
    """Inverse of their shrunk covariance."""

    def standardise(self, rows: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, "n d"]:
        """Count how many spreads each number lies from its median; 0 for one that is unknown."""
        away = (np.asarray(rows, np.float64) - self.centre) / self.spread
        return np.asarray(np.nan_to_num(away, nan=0.0).clip(-LARGEST, LARGEST))

    def distance(self, rows: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
        """Compute the Mahalanobis distance of each row, divided by the root of d."""
        away = self.standardise(rows) - self.shift
        squares = np.einsum("nd,de,ne->n", away, self.precision, away)
        return np.asarray(np.sqrt(np.maximum(squares, 0) / away.shape[1]))


def fit_normal(
    rows: Float[np.ndarray, "n d"], floor: Float[np.ndarray, " d"] | None = None
) -> Normal:
    """Fit the distribution of training clips.

    Args:
        rows: one vector for each clip, two or more; NaN where a number is unknown.
        floor: smallest spread of each number; None takes a thousandth of the largest spread, so
            that features that never vary do not blow up.
    """
    from sklearn.covariance import LedoitWolf  # predicting needs no scikit-learn

    values = np.asarray(rows, np.float64)
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    unknown = ~known.any(axis=0)
    values = np.where(known, values, np.nan)
    values[:, unknown] = 0.0
    centre = np.nanmedian(values, axis=0)
    # the larger of two: quartiles do not see a value that most clips share, deviations see outliers
    quartiles = np.nanpercentile(values, 75, axis=0) - np.nanpercentile(values, 25, axis=0)
    spread = np.maximum(quartiles / 1.349, 0.5 * np.nanstd(values, axis=0))
    least = max(float(spread.max()), 1e-6) * 1e-3 if floor is None else floor
    spread = np.maximum(spread, least)
    spread[unknown] = np.inf  # a number that no training clip has says nothing about another
    normal = Normal(centre, spread, np.zeros(len(centre)), np.eye(len(centre)))
    standard = normal.standardise(np.where(known, filled, np.nan))
    fitted = LedoitWolf().fit(standard)
    # where a floor is wider than the clips' own spread, it is the floor that counts
    variance = np.diag(fitted.covariance_)
    covariance = fitted.covariance_ + np.diag(np.maximum(0, 1 - variance))
    return Normal(centre, spread, fitted.location_, np.linalg.inv(covariance))


@dataclass(frozen=True, slots=True)
class Scale:
    """The usual distances of clips from which a distribution was not fitted."""

    centre: float
    """Median of the logarithms of their distances."""
    spread: float
    """Robust standard deviation of the logarithms."""

    def __call__(self, distances: Float[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Count how many spreads each distance lies above the usual one."""
        logarithms = np.log(np.maximum(np.asarray(distances, np.float64), 1e-9))
        return np.asarray((logarithms - self.centre) / self.spread)


def fit_scale(distances: Float[np.ndarray, " n"]) -> Scale:
    """Fit the scale to distances of left-out clips."""
    logarithms = np.log(np.maximum(np.asarray(distances, np.float64), 1e-9))
    centre = float(np.median(logarithms))
    deviation = float(np.median(np.abs(logarithms - centre))) * 1.4826
    return Scale(centre, max(deviation, 0.5 * float(logarithms.std()), 0.02))


def left_out_distances(
    rows: Float[np.ndarray, "n d"],
    folds: Iterable[np.ndarray],
    floor: Float[np.ndarray, " d"] | None = None,
) -> Float64[np.ndarray, " n"]:
    """Compute the distance of each clip from the distribution of all clips of other folds.

    Args:
        rows: one vector for each clip.
        folds: indices of the clips of each fold, which together name every clip once.
        floor: as in `fit_normal`.
    """
    found = np.full(len(rows), np.nan)
    everyone = np.arange(len(rows))
    for fold in folds:
        others = np.setdiff1d(everyone, fold)
        found[fold] = fit_normal(rows[others], floor).distance(rows[fold])
    return found


def rank_threshold(scores: Float[np.ndarray, " n"], level: float) -> tuple[float, float]:
    """Find the score that a share of new clips like these is expected to exceed.

    Of n + 1 clips of one kind, each is the highest equally often: a new one exceeds the highest of
    n others with probability 1 / (n + 1), the second highest with 2 / (n + 1).

    Args:
        scores: of clips that were left out.
        level: the share, such as 0.02.

    Returns:
        The threshold, one of the scores; and the share that is expected beyond it, the nearest to
        `level` that so many scores allow. With few scores it is larger: 1 / (n + 1) at least.
    """
    ordered = np.sort(scores)
    beyond = max(0, round(level * (len(ordered) + 1)) - 1)
    return float(ordered[-1 - beyond]), (beyond + 1) / (len(ordered) + 1)
