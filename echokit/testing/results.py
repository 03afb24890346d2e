"""Make small results of a study, as a writer gets them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from echokit.saliency.record import Explanation
from echokit.studies.clip_saliency import ClipSaliency
from echokit.studies.outcomes import ClipResult, Inference, SequenceResult, SubjectResult
from echokit.studies.result import StudyResult
from echokit.testing.clips import CLASSES, tiny_clip
from echokit.types import Box, Rejection, Saliency

FRAMES, SIDE = 4, 24


def tiny_result(
    patients: Sequence[str] = ("P1",),
    *,
    saliency: bool = True,
    rejected: Sequence[str] = ("notes.txt",),
) -> StudyResult:
    """Make the result of a study: two clips of every patient, A4C and PLAX.

    Args:
        patients: pseudonyms of the patients.
        saliency: whether each clip has a saliency map; else the result says why there is none.
        rejected: files that were not used.

    Returns:
        The result, made anew each time, so it may be compared afterwards.
    """
    return StudyResult(
        study="my-study",
        run="tiny-run",
        recipe="tiny",
        task="severity",
        classes=CLASSES,
        synthetic_training=True,
        view_run=None,
        inference={view: _inference() for view in ("A4C", "PLAX")},
        without_saliency="" if saliency else "The recipe names no explainer.",
        subjects=tuple(_subject(patient, saliency) for patient in patients),
        rejected=tuple(Rejection(where, "It is no clip.") for where in rejected),
        view_from="file",
        stages=({"name": "predict", "seconds": 0.5, "peak_memory_mb": 100.0},),
        version="0.0",
    )


def _inference() -> Inference:
    return Inference("torch", "2.0", "exact", "float32", None)


def _subject(patient: str, saliency: bool) -> SubjectResult:
    clips = tuple(_clip(patient, view, saliency) for view in ("A4C", "PLAX"))
    return SubjectResult(
        label=CLASSES[2],
        confidence=0.75,
        probabilities=_probabilities(),
        patient=patient,
        views_used=("A4C", "PLAX"),
        views_missing=("PSAX-P",),
        clips=clips,
        vote=CLASSES[2],
    )


def _clip(patient: str, view: str, saliency: bool) -> ClipResult:
    name = f"{patient}-{view}"
    sequence = SequenceResult(CLASSES[2], 0.75, _probabilities(), start=3, length=FRAMES)
    return ClipResult(
        label=CLASSES[2],
        confidence=0.75,
        probabilities=_probabilities(),
        clip=name,
        patient=patient,
        view=view,
        view_from="file",
        view_confidence=None,
        frames=14,
        fps=25.0,
        sequences=(sequence,),
        saliency=_saliency(view, len(patient)) if saliency else None,
    )


def _probabilities() -> dict[str, float]:
    return dict(zip(CLASSES, (0.1, 0.15, 0.75), strict=True))


def _saliency(view: str, number: int) -> ClipSaliency:
    clip = tiny_clip(FRAMES, SIDE, SIDE, seed=number)
    ramp = np.linspace(0, 1, FRAMES * SIDE * SIDE, dtype=np.float32).reshape(FRAMES, SIDE, SIDE)
    explanation = Explanation(clip, 3, Saliency(ramp, 2, "tiny-map"), {})
    box = Box(0, 0, SIDE, SIDE)
    return ClipSaliency(explanation, clip.frames, 25.0, box, None, f"{view}-{number:02d}")
