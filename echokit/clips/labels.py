"""The label of every clip and patient in one task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from echokit.errors import CohortError
from echokit.types import Cohort


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labels of one task."""

    classes: tuple[str, ...]
    """Label names, least severe first."""
    column: str
    """The annotation column that the labels were made from."""
    clips: Mapping[str, str]
    """Clip -> its label; clips without one are absent."""
    patients: Mapping[str, str]
    """Patient -> the most severe label of its clips, which is the subject's truth."""
    dropped: Mapping[str, int]
    """Why clips are left out of this task -> how many."""


def label(
    cohort: Cohort, column: str, mapping: Mapping[str, str], classes: tuple[str, ...], drop: str
) -> Labelled:
    """Give every clip its label in one task.

    Args:
        cohort: the clips.
        column: the annotation column.
        mapping: annotation -> label name or `drop`; numbers match by value ("1.0" is "1").
        classes: label names, least severe first.
        drop: the word in `mapping` for "leave this clip out".

    Raises:
        CohortError: no clip bears the column, or fewer than two labels are left.
    """
    lookup = {_grade(key): value for key, value in mapping.items()}
    clips: dict[str, str] = {}
    dropped: Counter[str] = Counter()
    for ref in cohort.clips:
        written = ref.labels.get(column, "").strip()
        target = lookup.get(_grade(written))
        if not written:
            dropped[f"no {column}"] += 1
        elif target is None:
            dropped[f"{column} {written!r} is not in the task's map"] += 1
        elif target == drop:
            dropped[f"{column} {written} is dropped by the task's map"] += 1
        else:
            clips[ref.clip] = target
    if len(set(clips.values())) < 2:
        columns = sorted({name for ref in cohort.clips for name in ref.labels})
        raise CohortError(
            f"Labels from the column {column!r} leave {len(set(clips.values()))} classes, and two "
            f"are needed. Columns present: {', '.join(columns) or 'none'}. "
            f"Left out: {dict(dropped) or 'nothing'}."
        )
    patients: dict[str, str] = {}
    for ref in cohort.clips:
        if ref.clip in clips:
            both = (clips[ref.clip], patients.get(ref.patient, classes[0]))
            patients[ref.patient] = max(both, key=classes.index)
    return Labelled(classes, column, clips, patients, dict(dropped))


def _grade(written: str) -> str:
    try:
        return f"{float(written):g}"
    except ValueError:
        return written.strip()
