"""Identifiers that follow from what an object says: the same result has the same UIDs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from uuid import UUID, uuid5

from pydicom.dataset import Dataset
from pydicom.uid import UID

from echokit import StudyResult, SubjectResult

NAMESPACE = UUID("a4f0a4c1-3a3f-5d63-9d1c-6a5f6a2f3b7e")
"""Of the UUIDs that UIDs are made of."""
DIGITS = 3
"""Decimals of a probability that count as content, as many as a report shows."""


def make_uid(*parts: str) -> UID:
    """Make a UID of texts: the same texts, the same UID (PS3.5 B.2, a UUID under 2.25)."""
    return UID(f"2.25.{uuid5(NAMESPACE, chr(0).join(parts)).int}")


def fingerprint(result: StudyResult, subject: SubjectResult, sources: Mapping[str, Dataset]) -> str:
    """Digest what is said of a patient, and of which images by which networks.

    Args:
        result: the result that holds the patient.
        subject: the patient.
        sources: clip -> header of its DICOM file.

    Returns:
        SHA-256 in hexadecimal. Times, machine and seconds do not count.
    """
    said = {
        "images": {clip: str(header.SOPInstanceUID) for clip, header in sources.items()},
        "recipe": result.recipe,
        "run": result.run,
        "task": result.task,
        "version": result.version,
        "weights": dict(result.weights),
        "label": subject.label,
        "vote": subject.vote,
        "probability": _rounded(subject.calibrated_probabilities or subject.probabilities),
        "calibrated": subject.calibrated,
        "confidence": round(subject.confidence, DIGITS),
        "set": subject.label_set,
        "views": [subject.views_used, subject.views_missing],
        "clips": [
            [clip.clip, clip.view, clip.label, _rounded(clip.probabilities)]
            for clip in subject.clips
        ],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _rounded(probabilities: Mapping[str, float]) -> dict[str, float]:
    return {label: round(share, DIGITS) for label, share in probabilities.items()}
