"""Decide when no prediction of a subject is made: too few views, or views that disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from echokit.types import Prediction, Votes

Reason = Literal["too-few-views", "views-disagree", "low-confidence"]
"""Why a subject is not judged, as the table of predictions and `prediction.json` hold it."""

REASONS: dict[Reason, str] = {
    "too-few-views": "too few views",
    "views-disagree": "views disagree",
    "low-confidence": "low confidence",
}
"""Reason -> its heading in a report."""

NOT_JUDGED = "not judged"
"""Stands in place of a label where a study's subject is not judged; no task has such a label."""


@dataclass(frozen=True, slots=True)
class Abstention:
    """Why a subject is not judged."""

    reason: Reason
    sentence: str
    """The reason with its figures, such as "only 1 of 2 views"."""


@dataclass(frozen=True, slots=True)
class AbstentionRule:
    """The conditions under which a subject is judged; the defaults judge every subject.

    Selective classification in the sense of Chow (1970, doi:10.1109/TIT.1970.1054406): a prediction
    is rejected where the vote is not clear enough. The paper judges every subject.
    """

    views: int = 1
    """Fewest views of a subject that must have voted."""
    agreement: float = 0.0
    """Smallest share of the votes, one of each clip, for the predicted label, in [0, 1]."""
    confidence: float = 0.0
    """Smallest confidence of the prediction, in [0, 1]."""

    @property
    def active(self) -> bool:
        """True if some subject may not be judged."""
        return self != AbstentionRule()

    @property
    def words(self) -> str:
        """When a subject is not judged, as the end of a sentence; empty if every one is."""
        parts = [f"fewer than {self.views} views voted"] if self.views > 1 else []
        if self.agreement:
            parts.append(f"less than {self.agreement:.0%} of the votes agree")
        if self.confidence:
            parts.append(f"the agreement is below {self.confidence:.2f}")
        *most, last = parts or [""]
        return f"{', '.join(most)} or {last}" if most else last

    def __call__(self, votes: Votes, prediction: Prediction) -> Abstention | None:
        """Return why a subject is not judged; None where it is.

        Args:
            votes: the votes of the subject's clips; each voter is the name of a view.
            prediction: the outcome of these votes.
        """
        views, count = len(set(votes.voters)), len(votes.labels)
        if views < self.views:
            return Abstention("too-few-views", f"only {views} of {self.views} views")
        agreeing = int((votes.labels == votes.classes.index(prediction.label)).sum())
        if agreeing / count < self.agreement:
            return Abstention(
                "views-disagree",
                f"views disagree: {agreeing} of {count} votes for {prediction.label}, "
                f"at least {self.agreement:.0%} needed",
            )
        if prediction.confidence < self.confidence:
            return Abstention(
                "low-confidence",
                f"agreement {prediction.confidence:.2f}, at least {self.confidence:.2f} needed",
            )
        return None
