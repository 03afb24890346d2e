"""The outcomes of a study in plain values: as JSON, and as the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from echokit.studies.outcomes import CalibratedOutcome, ClipResult, Outcome, SubjectResult


def frame_rows(subjects: Iterable[SubjectResult]) -> Iterator[dict[str, Any]]:
    """Yield every prediction as the row of a table; see `StudyResult.to_frame`."""
    subjects = tuple(subjects)
    several = any(subject.study for subject in subjects)
    for subject in subjects:
        person = {"patient": subject.patient} | ({"study": subject.study} if several else {})
        for clip in subject.clips:
            place = person | {"view": clip.view, "clip": clip.clip}
            for one in clip.sequences:
                yield {"level": "sequence", **place, "start": one.start, **_columns(one)}
            yield {"level": "view", **place, "start": -1, **_columns(clip)}
        views = "+".join(subject.views_used)
        place = person | {"view": views, "clip": ""}
        yield {"level": "subject", **place, "start": -1, **_columns(subject)}


def _columns(one: Outcome) -> dict[str, Any]:
    shares = {f"p_{label}": share for label, share in one.probabilities.items()}
    row = {"label": one.label, "confidence": one.confidence} | shares
    fitted = one if isinstance(one, CalibratedOutcome) else None
    calibrated = (fitted.calibrated_probabilities if fitted else None) or {}
    row |= {f"calibrated_{label}": calibrated.get(label) for label in one.probabilities}
    held = fitted.label_set if fitted else None
    return row | {"label_set": None if held is None else " | ".join(held)}


def subject_json(subject: SubjectResult) -> dict[str, Any]:
    """The outcome of a patient and of the clips in plain values."""
    return {
        "patient": subject.patient,
        **({"study": subject.study} if subject.study else {}),
        **_prediction_json(subject),
        **_calibrated_json(subject),
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
        **_calibrated_json(clip),
        "frames": clip.frames,
        "fps": clip.fps,
        "source_fps": clip.source_fps,
        "sequences": [{"start": one.start, **_prediction_json(one)} for one in clip.sequences],
        "saliency": None if clip.saliency is None else clip.saliency.as_json(),
        "view_from": clip.view_from,
        "view_confidence": clip.view_confidence,
        "novelty": None if clip.novelty is None else clip.novelty.as_json(),
        "judged_anyway": clip.judged_anyway or None,
        "unlearned": clip.unlearned or None,
    }


def _calibrated_json(one: CalibratedOutcome) -> dict[str, Any]:
    calibrated = one.calibrated_probabilities
    return {
        "calibrated": one.calibrated,
        "calibrated_probabilities": None if calibrated is None else dict(calibrated),
        "label_set": None if one.label_set is None else list(one.label_set),
    }


def _prediction_json(one: Outcome) -> dict[str, Any]:
    return {
        "label": one.label,
        "confidence": one.confidence,
        "probabilities": dict(one.probabilities),
    }
