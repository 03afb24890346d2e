"""The result of a study: what each sequence, clip and patient was predicted to be, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from echokit.engines.agreement import Agreement
from echokit.errors import UsageError
from echokit.studies.clip_saliency import ClipSaliency
from echokit.types import Rejection

if TYPE_CHECKING:
    import pandas as pd
SCHEMA = 1
"""Of `prediction.json`."""


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
class SequenceResult(Outcome):
    """The prediction of one short sequence of a clip; its confidence is its highest probability."""

    start: int
    """Its first frame."""


@dataclass(frozen=True, slots=True)
class ClipResult(Outcome):
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


@dataclass(frozen=True, slots=True)
class SubjectResult(Outcome):
    """The prediction of one patient: the vote of the views.

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


@dataclass(frozen=True, slots=True)
class StudyResult:
    """The prediction of a study: of one patient's examination, or of several patients'.

    `label`, `confidence`, `probabilities`, `views_used` and `views_missing` are those of the
    patient; where a study holds several, ask each of `subjects`.

    >>> result = echokit.load("runs/ph-newborn").predict("clip.dcm", view="A4C")
    >>> result.label in result.classes, result.views_used, result.views_missing
    (True, ('A4C',), ('PLAX', 'PSAX-P'))
    >>> list(result.to_frame()["level"].unique())
    ['sequence', 'view', 'subject']
    >>> [path.name for path in result.save("out")]
    ['prediction.json', 'saliency', 'index.html']
    """

    study: str
    """Name of the study: that of its file or folder."""
    run: str
    """Name of the run that trained the networks."""
    recipe: str
    """Name of that run's recipe."""
    task: str
    """The question that was asked."""
    classes: tuple[str, ...]
    """Labels to choose from, least severe first."""
    synthetic_training: bool
    """True if a network that was asked learned from a synthetic cohort."""
    view_run: str | None
    """Name of the run whose network found views; None if none was asked to."""
    inference: Mapping[str, Inference]
    """View -> what ran its network."""
    without_saliency: str
    """Why there is no saliency, in a sentence; empty where there is."""
    subjects: tuple[SubjectResult, ...]
    """One patient after the other."""
    rejected: tuple[Rejection, ...]
    """Every file and clip that was not used, with the reason."""
    view_from: str
    """Who says the view of a clip where no network does: `--view` or `file`."""
    stages: tuple[Mapping[str, Any], ...]
    """Name, seconds and peak memory (MiB) of each step of the work."""
    version: str
    """Version of echokit."""
    view_confidence: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Clip -> confidence in (0, 1] of each view that a network found."""

    @property
    def subject(self) -> SubjectResult:
        """The one patient.

        Raises:
            UsageError: the study holds several; the message names them.
        """
        if len(self.subjects) > 1:
            named = ", ".join(subject.patient for subject in self.subjects)
            raise UsageError(
                f"The study holds {len(self.subjects)} patients: {named}. Ask each of "
                "`result.subjects`, or take `result.to_frame()`."
            )
        return self.subjects[0]

    @property
    def label(self) -> str:
        """The label that won the vote of the views, or "not judged"."""
        return self.subject.label

    @property
    def confidence(self) -> float:
        """How far the views agree, in (0, 1]; not the chance that the label is right."""
        return self.subject.confidence

    @property
    def probabilities(self) -> Mapping[str, float]:
        """Label -> probability, least severe label first."""
        return self.subject.probabilities

    @property
    def views_used(self) -> tuple[str, ...]:
        """Views that voted."""
        return self.subject.views_used

    @property
    def views_missing(self) -> tuple[str, ...]:
        """Views that the method has and the study lacks."""
        return self.subject.views_missing

    @property
    def clips(self) -> tuple[ClipResult, ...]:
        """Every clip that voted, of all patients."""
        return tuple(clip for subject in self.subjects for clip in subject.clips)

    def to_frame(self) -> pd.DataFrame:
        """Every prediction as one row of a table.

        Returns:
            Columns `level` (`sequence`, `view` or `subject`), `patient`, `view`, `clip`, `start`,
            `label`, `confidence`, and `p_<label>` for the probability of each label.
        """
        import pandas as pd

        return pd.DataFrame(list(_rows(self)))

    def to_json(self) -> dict[str, Any]:
        """The result in plain values, as `prediction.json` holds it; without saliency maps."""
        return {
            "schema": SCHEMA,
            "echokit": self.version,
            "study": self.study,
            "run": self.run,
            "recipe": self.recipe,
            "task": self.task,
            "classes": list(self.classes),
            "synthetic_training": self.synthetic_training,
            "view_run": self.view_run,
            "inference": {view: asdict(one) for view, one in self.inference.items()},
            "without_saliency": self.without_saliency,
            "subjects": [_subject_json(subject) for subject in self.subjects],
            "rejected": [self._rejection_json(item) for item in self.rejected],
            "stages": [dict(stage) for stage in self.stages],
        }

    def _rejection_json(self, item: Rejection) -> dict[str, Any]:
        told: dict[str, Any] = {"where": item.where, "reason": item.reason, "view": item.view}
        if item.view:
            confidence = self.view_confidence.get(item.where)
            told["view_from"] = self.view_from if confidence is None else "network"
            told["view_confidence"] = confidence
        return told

    def save(self, out: str | Path) -> list[Path]:
        """Write `prediction.json`, `saliency/` and the page `index.html` into a new folder.

        Args:
            out: a folder that does not exist yet; it appears whole or not at all.

        Returns:
            What was written.

        Raises:
            UsageError: `out` exists.
        """
        from echokit.studies.write import write_folder

        saliency = [clip.saliency for clip in self.clips if clip.saliency is not None]
        return write_folder(Path(out), self.to_json(), saliency)

    def _repr_html_(self) -> str:
        from echokit.studies.notebook import result_html

        saliency = [clip.saliency for clip in self.clips if clip.saliency is not None]
        return result_html(self.to_json(), saliency)


def _rows(result: StudyResult) -> Iterator[dict[str, Any]]:
    for subject in result.subjects:
        for clip in subject.clips:
            place = {"patient": subject.patient, "view": clip.view, "clip": clip.clip}
            for one in clip.sequences:
                yield {"level": "sequence", **place, "start": one.start, **_columns(one)}
            yield {"level": "view", **place, "start": -1, **_columns(clip)}
        views = "+".join(subject.views_used)
        place = {"patient": subject.patient, "view": views, "clip": ""}
        yield {"level": "subject", **place, "start": -1, **_columns(subject)}


def _columns(one: Outcome) -> dict[str, Any]:
    shares = {f"p_{label}": share for label, share in one.probabilities.items()}
    return {"label": one.label, "confidence": one.confidence} | shares


def _subject_json(subject: SubjectResult) -> dict[str, Any]:
    return {
        "patient": subject.patient,
        **_prediction_json(subject),
        "views_used": list(subject.views_used),
        "views_missing": list(subject.views_missing),
        "vote": subject.vote,
        "not_judged": subject.not_judged,
        "clips": [_clip_json(clip) for clip in subject.clips],
    }


def _clip_json(clip: ClipResult) -> dict[str, Any]:
    return {
        "clip": clip.clip,
        "view": clip.view,
        **_prediction_json(clip),
        "frames": clip.frames,
        "fps": clip.fps,
        "sequences": [{"start": one.start, **_prediction_json(one)} for one in clip.sequences],
        "saliency": None if clip.saliency is None else clip.saliency.as_json(),
        "view_from": clip.view_from,
        "view_confidence": clip.view_confidence,
    }


def _prediction_json(one: Outcome) -> dict[str, Any]:
    return {
        "label": one.label,
        "confidence": one.confidence,
        "probabilities": dict(one.probabilities),
    }
