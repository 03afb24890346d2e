"""The trimmed mean."""

from dataclasses import dataclass

import numpy as np
from echokit import DataError, OptionError, Prediction, Votes


@dataclass(frozen=True)
class TrimmedMean:
    """The rule; see `echokit_second_look.trimmed_mean`."""

    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share < 0.5:
            raise OptionError(f"share={self.share}: give a share from 0 to below 0.5.")

    def __call__(self, votes: Votes) -> Prediction:
        """Let the voters vote."""
        n = len(votes.voters)
        if n == 0:
            raise DataError("Nobody votes: give at least one voter.")
        left_out = int(self.share * n)
        ordered = np.sort(np.asarray(votes.probabilities, np.float64), axis=0)
        mean = ordered[left_out : n - left_out].mean(axis=0)
        chosen = np.bincount(votes.labels, minlength=len(mean))
        winner = max(range(len(mean)), key=lambda label: (mean[label], chosen[label], label))
        pooled = mean / mean.sum()
        return Prediction(votes.classes[winner], float(pooled[winner]), pooled)
