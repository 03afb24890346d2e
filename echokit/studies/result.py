"""The result of a study: what each sequence, clip and patient was predicted to be, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from echokit.errors import UsageError
from echokit.evaluation.fitted import LEVEL
from echokit.studies.outcomes import ClipResult, Inference, SubjectResult
from echokit.studies.plain import frame_rows, subject_json
from echokit.types import Rejection

if TYPE_CHECKING:
    import pandas as pd
SCHEMA = 1
"""Of `prediction.json`."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Names of months, whatever the language of the machine."""


def study_title(day: date, clips: int) -> str:
    """Return the title of a study, such as `Study of 26 Nov 2026, 3 clips`."""
    month = MONTHS[day.month - 1]
    return f"Study of {day.day} {month} {day.year}, {clips} clip{'s' * (clips != 1)}"


@dataclass(frozen=True, slots=True)
class StudyResult:
    """The prediction of a study: of one patient's examination, or of several.

    `label`, `probability`, `label_set`, `views_used`, `views_missing` and the like are those of the
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
    """Title of the study: the day of the prediction and the number of clips, never a name."""
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
    """One patient after the other, and one examination of each after the other."""
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
    uncalibrated: str = "Not calibrated: the run fitted no temperatures."
    """Why probabilities are the networks' own, in a sentence; empty where they are calibrated."""
    label_set_level: float = LEVEL
    """How often a label set should hold the true label."""
    weights: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """View -> SHA-256 of the file of the network that judged its clips."""
    files: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Clip -> the file it was read from, where its loader can tell. Path and file may name the
    patient: it is neither shown nor written; a writer may read it."""
    record: tuple[Mapping[str, Any], ...] = ()
    """How well the networks did on patients whom they did not learn from: one row for each view and
    set of views, and for each of `held-out` and, where the run has one, `external` patients."""

    @property
    def subject(self) -> SubjectResult:
        """The one patient.

        Raises:
            UsageError: the study holds several, or no clip was judged; the message names them.
        """
        if not self.subjects:
            named = "; ".join(f"{item.where}: {item.reason}" for item in self.rejected)
            raise UsageError(f"No clip of the study was judged. {named}")
        if len(self.subjects) > 1:
            named = ", ".join(subject.name for subject in self.subjects)
            what = "examinations" if any(one.study for one in self.subjects) else "patients"
            raise UsageError(
                f"The study holds {len(self.subjects)} {what}: {named}. Ask each of "
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
    def calibrated(self) -> bool:
        """Whether there are calibrated probabilities."""
        return self.subject.calibrated

    @property
    def calibrated_probabilities(self) -> Mapping[str, float] | None:
        """Label -> probability after temperature scaling; None where nothing was fitted."""
        return self.subject.calibrated_probabilities

    @property
    def probability(self) -> float:
        """Probability of the label: the calibrated one, or the networks' own where none is."""
        return self.subject.probability

    @property
    def label_set(self) -> tuple[str, ...] | None:
        """Labels that cannot be left out at `label_set_level`; None where nothing was fitted."""
        return self.subject.label_set

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
            `label`, `confidence`, `p_<label>` for the probability of each label as the networks
            give it, `calibrated_<label>` for the calibrated one, and `label_set`, whose labels are
            joined by ` | `; the last two are missing where nothing was fitted, and of sequences. A
            column `study` too, where a patient has several examinations.
        """
        import pandas as pd

        return pd.DataFrame(list(frame_rows(self.subjects)))

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
            "subjects": [subject_json(subject) for subject in self.subjects],
            "rejected": [self._rejection_json(item) for item in self.rejected],
            "stages": [dict(stage) for stage in self.stages],
            "uncalibrated": self.uncalibrated,
            "label_set_level": self.label_set_level,
            "record": [dict(row) for row in self.record],
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
