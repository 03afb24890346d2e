"""Gather the clips of a cohort, and tabulate their labels and sides of every split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from echokit.clips.labels import Labelled, shown_annotation
from echokit.clips.splits import Split
from echokit.errors import CohortError
from echokit.types import VIEWS, ClipRef, Cohort, Rejection

if TYPE_CHECKING:
    import pandas as pd


def gather(
    index: Iterable[ClipRef | Rejection], views: Iterable[str], alias: Mapping[str, str]
) -> Cohort:
    """Gather a cohort: clips with canonical views, unique names and known patients.

    Args:
        index: the clips and rejections of a loader's index.
        views: canonical names of the views in use; clips of other views are rejected.
        alias: a site's own view name -> the canonical name.

    Raises:
        CohortError: no clip can be used; the message counts the reasons.
    """
    clips, rejected = separate(index, views, alias)
    if not clips:
        raise CohortError(f"No clip can be used: {_count_reasons(rejected)}.")
    return Cohort(clips, rejected)


def separate(
    index: Iterable[ClipRef | Rejection], views: Iterable[str], alias: Mapping[str, str]
) -> tuple[tuple[ClipRef, ...], tuple[Rejection, ...]]:
    """Separate usable clips from rejections; the arguments are those of `gather`."""
    in_use = tuple(views)
    clips: dict[str, ClipRef] = {}
    rejected: list[Rejection] = []
    for item in index:
        if isinstance(item, Rejection):
            rejected.append(item)
            continue
        # a site may call views by its own names; from here on only canonical names exist
        view = alias.get(item.view, item.view) if item.view else None
        # another text may be anything, such as a name in a tag of a header: it is not shown
        shown = view if view in (*VIEWS, *in_use, *alias.values()) else None
        reason = _refusal(item, view, shown, in_use, clips)
        if reason:
            rejected.append(Rejection(item.clip, reason, item.patient, shown))
        else:
            clips[item.clip] = replace(item, view=view)
    return tuple(clips.values()), tuple(rejected)


def _refusal(
    ref: ClipRef,
    view: str | None,
    shown: str | None,
    in_use: tuple[str, ...],
    clips: Mapping[str, ClipRef],
) -> str:
    """State why a clip cannot be used; empty if it can."""
    if ref.clip in clips:
        return "a clip of this name is already in the cohort"
    if not ref.patient:
        return "it has no patient, so it cannot be kept on one side of a split"
    if view is None:
        return (
            "its view is unknown; name it in the manifest, or with --view to `echokit predict`, or "
            "let a network find it: --view auto there, --set views.classifier=RUN to `echokit run`"
        )
    if view not in in_use:
        named = f"view {shown!r}" if shown else "view has a name that no alias explains, and"
        return f"its {named} is not in use (views in use: {', '.join(in_use)})"
    return ""


def _count_reasons(rejected: Iterable[Rejection]) -> str:
    """Count the five most frequent reasons, in words."""
    counts = Counter(item.reason for item in rejected)
    return "; ".join(f"{n} × {reason}" for reason, n in counts.most_common(5)) or "none was found"


def cohort_table(
    cohort: Cohort, labelled: Mapping[str, Labelled], splits: Mapping[str, tuple[Split, ...]]
) -> pd.DataFrame:
    """Tabulate every clip and rejection, with its label of each task and its side of each split."""
    import pandas as pd  # takes a while, and gathering needs none of it

    rows: list[dict[str, object]] = []
    for ref in cohort.clips:
        row: dict[str, object] = {
            "clip": ref.clip,
            "patient": ref.patient,
            "view": ref.view,
            "view_confidence": _confidence(cohort, ref.clip),
            "status": "used",
            "reason": "",
            "synthetic": ref.synthetic,
        }
        for task, labels in labelled.items():
            # only the tasks' columns are copied: others of a manifest may identify a person
            written, name = ref.labels.get(labels.column, ""), labels.clips.get(ref.clip, "")
            row[f"{task}_annotation"] = written if name else shown_annotation(written)
            row[f"{task}_label"] = name
            for split in splits[task]:
                side = split.side(ref.patient) if ref.clip in labels.clips else ""
                row[f"{task}_split_{split.index:02d}"] = side
        rows.append(row)
    rows += [
        {
            "clip": item.where,
            "patient": item.patient or "",
            "view": item.view or "",
            "view_confidence": _confidence(cohort, item.where) if item.view else "",
            "status": "rejected",
            "reason": item.reason,
        }
        for item in cohort.rejected
    ]
    return pd.DataFrame(rows).fillna("")


def _confidence(cohort: Cohort, clip: str) -> str:
    """Format the confidence of a view that a network found; empty for an annotated view."""
    confidence = cohort.view_confidence.get(clip)
    return "" if confidence is None else f"{confidence:.4f}"
