"""The outcomes in a study: of a sequence, a clip and a patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from echokit.engines.agreement import Agreement
from echokit.novelty.detector import Verdict
from echokit.studies.clip_saliency import ClipSaliency


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a vote: a label, how far the voters agree, and all probabilities."""

    label: str
    """The label that won."""
    confidence: float
    """How far the voters agree, in (0, 1]; not the chance that the label is right."""
    probabilities: Mapping[str, float]
    """Label -> probability, least severe label first."""


@dataclass(frozen=True, slots=True)
class CalibratedOutcome(Outcome):
    """The outcome of a vote, with what the run fitted for such outcomes."""

    calibrated_probabilities: Mapping[str, float] | None = field(default=None, kw_only=True)
    """Label -> probability after temperature scaling; None where no temperature was fitted."""
    label_set: tuple[str, ...] | None = field(default=None, kw_only=True)
    """Labels that cannot be left out at the level of label sets; None where none were fitted."""

    @property
    def calibrated(self) -> bool:
        """Whether there are calibrated probabilities."""
        return self.calibrated_probabilities is not None

    @property
    def probability(self) -> float:
        """Probability of the label: the calibrated one, or the network's own where none is."""
        return (self.calibrated_probabilities or self.probabilities)[self.label]


@dataclass(frozen=True, slots=True)
class SequenceResult(Outcome):
    """The prediction of one short sequence of a clip; its confidence is its highest probability."""

    start: int
    """Its first frame."""
    length: int = field(default=1, kw_only=True)
    """Number of its frames, which follow one another."""


@dataclass(frozen=True, slots=True)
class ClipResult(CalibratedOutcome):
    """The prediction of one clip: the vote of its sequences."""

    clip: str
    """Identifier of the clip."""
    patient: str
    """Pseudonym of the patient."""
    view: str
    """Canonical name of its view."""
    view_from: str
    """Who says which view it is: `--view` for the caller, `file`, or `network`."""
    view_confidence: float | None
    """How sure the network is that found the view; None where no network did."""
    frames: int
    """Number of frames."""
    fps: float | None
    """Frames per second; None where the source does not say."""
    sequences: tuple[SequenceResult, ...]
    """The sequences that voted, in the order they were drawn."""
    saliency: ClipSaliency | None
    """Where the network looked; None where that is not known."""
    novelty: Verdict | None = field(default=None, kw_only=True)
    """How unlike the network's training clips it is; None where that was not fitted."""
    unlearned: str = field(default="", kw_only=True)
    """Why the network of its view counts as one that did not learn; empty of one that learned. It
    votes all the same."""
    source_fps: float | None = field(default=None, kw_only=True)
    """Frames per second of the file, of a clip that was resampled to `fps`; else None."""
    study: str = field(default="", kw_only=True)
    """Pseudonym of the examination; empty where the source tells none apart."""
    judged_anyway: str = field(default="", kw_only=True)
    """Why it would have been rejected, had the user not asked to judge it anyway."""


@dataclass(frozen=True, slots=True)
class SubjectResult(CalibratedOutcome):
    """The prediction of one patient: the vote of the views.

    Of a patient with several examinations there is one for each.

    Where the recipe abstains (`[aggregate.abstain]`) and its conditions do not hold, `label` is
    "not judged", which is none of the labels.
    """

    patient: str
    """Pseudonym of the patient."""
    views_used: tuple[str, ...]
    """Views that voted."""
    views_missing: tuple[str, ...]
    """Views that the method has and the study lacks."""
    clips: tuple[ClipResult, ...]
    """The clips that voted."""
    vote: str
    """The label that won the vote, also of a patient who is not judged."""
    not_judged: str = ""
    """Why the patient is not judged, such as "only 1 of 2 views"; empty where one is."""
    study: str = ""
    """Pseudonym of the examination, where there are several of this patient; else empty."""

    @property
    def name(self) -> str:
        """Whose prediction it is: the patient, and the examination where there are several."""
        return f"{self.patient}, study {self.study}" if self.study else self.patient

    @property
    def probability(self) -> float:
        """Probability of the label that won the vote; see `calibrated`."""
        return (self.calibrated_probabilities or self.probabilities)[self.vote]


@dataclass(frozen=True, slots=True)
class Inference:
    """What ran the network of one view."""

    engine: str
    """`torch`, `openvino` or `onnxruntime`."""
    version: str
    """Version of the engine's library."""
    precision: str
    """`exact` or `fast`."""
    computes_in: str
    """Numbers that it computes with: `float32`, `bfloat16`, `float16`."""
    agreement: Agreement | None
    """How far it is from torch; None for torch itself."""
