"""Label the clips and patients of a cohort in one task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from echokit.errors import CohortError
from echokit.types import Cohort

HIDDEN = "(text)"
"""What is shown of an annotation that may be a name."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labels of one task."""

    classes: tuple[str, ...]
    """Label names, least severe first."""
    column: str
    """Annotation column from which the labels were made."""
    clips: Mapping[str, str]
    """Clip -> label; clips without a label are absent."""
    patients: Mapping[str, str]
    """Patient -> the most severe label of the patient's clips, the reference for evaluation."""
    dropped: Mapping[str, int]
    """Reason for which clips are left out of this task -> number of clips."""


def label(
    cohort: Cohort,
    column: str,
    mapping: Mapping[str, str],
    classes: tuple[str, ...],
    drop: str,
    least: int = 2,
) -> Labelled:
    """Label the clips of a cohort in one task.

    Args:
        cohort: the clips.
        column: annotation column.
        mapping: annotation -> label name or `drop`; numbers match by value ("1.0" is "1").
        classes: label names, least severe first.
        drop: the value in `mapping` that leaves a clip out.
        least: number of labels that must be left: 2 to learn from clips, 1 to test on them.

    Raises:
        CohortError: no clip has the column, or fewer than `least` labels are left.
    """
    label_of = {_normalise(key): value for key, value in mapping.items()}
    clips: dict[str, str] = {}
    dropped: Counter[str] = Counter()
    for ref in cohort.clips:
        annotation = ref.labels.get(column, "").strip()
        target = label_of.get(_normalise(annotation))
        if not annotation:
            dropped[f"no {column}"] += 1
        elif target is None:
            dropped[f"{column} {_quoted(annotation)} is not in the task's map"] += 1
        elif target == drop:
            dropped[f"{column} {annotation} is dropped by the task's map"] += 1
        else:
            clips[ref.clip] = target
    if len(set(clips.values())) < least:
        columns = sorted({name for ref in cohort.clips for name in ref.labels})
        raise CohortError(
            f"Labels from the column {column!r} leave {len(set(clips.values()))} classes, and "
            f"{'one is' if least == 1 else 'two are'} needed. "
            f"Columns present: {', '.join(columns) or 'none'}. "
            f"Left out: {counted(dropped) or 'nothing'}."
        )
    # a patient has the most severe label of all clips, of whatever view
    patients: dict[str, str] = {}
    for ref in cohort.clips:
        if ref.clip in clips:
            labels = (clips[ref.clip], patients.get(ref.patient, classes[0]))
            patients[ref.patient] = max(labels, key=classes.index)
    return Labelled(classes, column, clips, patients, dict(dropped))


def counted(dropped: Mapping[str, int]) -> str:
    """Say in words how many clips were left out, for each reason."""
    return "; ".join(f"{n} × {reason}" for reason, n in dropped.items())


def shown_annotation(annotation: str) -> str:
    """Return an annotation that no map knows, if it is a short number; of others only that it is.

    Where a column was mistaken, a cell may hold a name.
    """
    is_word = len(annotation) > 6 or any(character.isalpha() for character in annotation)
    return HIDDEN if is_word else annotation


def _quoted(annotation: str) -> str:
    shown = shown_annotation(annotation)
    return shown if shown == HIDDEN else repr(shown)


def _normalise(annotation: str) -> str:
    """Write equal numbers alike, so that "1.0" matches "1"."""
    try:
        return f"{float(annotation):g}"
    except ValueError:
        return annotation.strip()
