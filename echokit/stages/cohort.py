"""The table of clips: what a loader found, the label each clip bears, who is held out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from echokit.errors import CohortError
from echokit.types import ClipRef, Cohort, Rejection


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


@dataclass(frozen=True, slots=True)
class Split:
    """One division of the patients; nobody is on both sides."""

    index: int
    train: frozenset[str]
    test: frozenset[str]

    def side(self, patient: str) -> str:
        """`train`, `test`, or an empty string for a patient without a label."""
        return "train" if patient in self.train else "test" if patient in self.test else ""


def gather(
    found: Iterable[ClipRef | Rejection], views: Iterable[str], alias: Mapping[str, str]
) -> Cohort:
    """Validate what a loader found: canonical views, unique clips, known patients.

    Args:
        found: the loader's index.
        views: canonical names of the views in use; clips of others are rejected by name.
        alias: a site's own view name -> the canonical one.

    Raises:
        CohortError: no clip is left; the message counts the reasons.
    """
    clips, rejected = sort_out(found, views, alias)
    if not clips:
        raise CohortError(f"No clip can be used: {_count_reasons(rejected)}.")
    return Cohort(clips, rejected)


def sort_out(
    found: Iterable[ClipRef | Rejection], views: Iterable[str], alias: Mapping[str, str]
) -> tuple[tuple[ClipRef, ...], tuple[Rejection, ...]]:
    """Divide what a loader found into usable clips and rejections; arguments as `gather`."""
    wanted = tuple(views)
    clips: dict[str, ClipRef] = {}
    rejected: list[Rejection] = []
    for item in found:
        if isinstance(item, Rejection):
            rejected.append(item)
            continue
        view = alias.get(item.view, item.view) if item.view else None
        reason = _refusal(item, view, wanted, clips)
        if reason:
            rejected.append(Rejection(item.clip, reason, item.patient, view))
        else:
            clips[item.clip] = replace(item, view=view)
    return tuple(clips.values()), tuple(rejected)


def _refusal(
    ref: ClipRef, view: str | None, wanted: tuple[str, ...], clips: Mapping[str, ClipRef]
) -> str:
    if ref.clip in clips:
        return "a clip of this name is already in the cohort"
    if not ref.patient:
        return "it has no patient, so it cannot be kept on one side of a split"
    if view is None:
        return (
            "its view is unknown; name it in the manifest, or with --view to `echokit predict`, or "
            "let a network find it: --view auto there, --set views.classifier=RUN to `echokit run`"
        )
    if view not in wanted:
        return f"its view {view!r} is not in use (views in use: {', '.join(wanted)})"
    return ""


def _count_reasons(rejected: Iterable[Rejection]) -> str:
    counts = Counter(item.reason for item in rejected)
    return "; ".join(f"{n} × {reason}" for reason, n in counts.most_common(5)) or "none was found"


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


def split_patients(
    patients: Mapping[str, str], method: str, splits: int, held_out: float, seed: int
) -> tuple[Split, ...]:
    """Divide the patients, stratified by label, so that nobody is on both sides.

    Args:
        patients: patient -> label.
        method: `repeated` draws `splits` independent divisions (paper, section 3.2);
            `k-fold` holds every patient out exactly once.
        splits: how many.
        held_out: share held out by `repeated`.
        seed: of the draw.

    Raises:
        CohortError: a label has too few patients to stand on both sides.
    """
    from sklearn.model_selection import StratifiedKFold

    names = np.array(sorted(patients))
    labels = np.array([patients[name] for name in names])
    counts = Counter(labels.tolist())
    need = splits if method == "k-fold" else 2
    for name, n in counts.items():
        if n < need:
            raise CohortError(
                f"Label {name!r} has {n} patient{'s' * (n != 1)}; {method} with {splits} splits "
                f"needs at least {need} of each label. Add patients, or use fewer splits."
            )
    test_size = max(round(held_out * len(names)), len(counts))
    if method != "k-fold" and len(names) - test_size < len(counts):
        raise CohortError(
            f"{len(names)} patients cannot be split with {held_out:.0%} held out and every one of "
            f"{len(counts)} labels on both sides. Add patients, or set split.held_out lower."
        )
    if method == "k-fold":
        if splits < 2:
            raise CohortError("k-fold needs at least 2 splits: --set split.splits=5.")
        divider = StratifiedKFold(splits, shuffle=True, random_state=seed)
        held = [names[test] for _, test in divider.split(names, labels)]
    else:
        rng, take = np.random.default_rng(seed), _held_out_counts(counts, test_size)
        held = [
            np.concatenate([rng.permutation(names[labels == x])[: take[x]] for x in sorted(counts)])
            for _ in range(splits)
        ]
    tests = [frozenset(test.tolist()) for test in held]
    return tuple(Split(i, frozenset(names.tolist()) - test, test) for i, test in enumerate(tests))


def _held_out_counts(counts: Mapping[str, int], total: int) -> dict[str, int]:
    """How many patients of each label are held out: in proportion, at least one, never all.

    scikit-learn's StratifiedShuffleSplit can leave a rare label on one side only.
    """
    share = total / sum(counts.values())
    held = {x: min(max(int(n * share), 1), n - 1) for x, n in sorted(counts.items())}

    def lack(x: str) -> float:
        return counts[x] * share - held[x]

    while sum(held.values()) < total:
        held[max((x for x in held if held[x] < counts[x] - 1), key=lack)] += 1
    while sum(held.values()) > total:
        held[min((x for x in held if held[x] > 1), key=lack)] -= 1
    return held


def table(
    cohort: Cohort, labelled: Mapping[str, Labelled], splits: Mapping[str, tuple[Split, ...]]
) -> pd.DataFrame:
    """Every clip met, one row each, with its label per task and its side in every split."""
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
            # of a manifest's columns only the tasks' own: others may name people
            row[f"{task}_annotation"] = ref.labels.get(labels.column, "")
            row[f"{task}_label"] = labels.clips.get(ref.clip, "")
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
    """Confidence of a view that a network found; empty for one that was annotated."""
    found = cohort.view_confidence.get(clip)
    return "" if found is None else f"{found:.4f}"
