"""Split patients into a training side and a held-out side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from echokit.errors import CohortError
from echokit.types import ClipRef


@dataclass(frozen=True, slots=True)
class Split:
    """One split of the patients; no patient is on both sides."""

    index: int
    train: frozenset[str]
    test: frozenset[str]

    def side(self, patient: str) -> str:
        """Return `train`, `test`, or an empty string for a patient without a label."""
        return "train" if patient in self.train else "test" if patient in self.test else ""


def split_patients(
    patients: Mapping[str, str], method: str, splits: int, held_out: float, seed: int
) -> tuple[Split, ...]:
    """Split the patients repeatedly, stratified by label; no patient is on both sides.

    Args:
        patients: patient -> label.
        method: `repeated` draws independent splits (paper, section 3.2); `k-fold` holds every
            patient out exactly once.
        splits: number of splits.
        held_out: share of the patients that `repeated` holds out.
        seed: seed of the random draws.

    Raises:
        CohortError: a label has too few patients to be on both sides.
    """
    names = np.array(sorted(patients))  # sorted: the order of a manifest must not change a split
    labels = np.array([patients[name] for name in names])
    counts = Counter(labels.tolist())
    least = splits if method == "k-fold" else 2
    for name, n in counts.items():
        if n < least:
            raise CohortError(
                f"Label {name!r} has {n} patient{'s' * (n != 1)}; {method} with {splits} splits "
                f"needs at least {least} of each label. Add patients, or use fewer splits."
            )
    # a held-out side needs one patient of each label at least, or AUROC is undefined
    test_size = max(round(held_out * len(names)), len(counts))
    if method != "k-fold" and len(names) - test_size < len(counts):
        raise CohortError(
            f"{len(names)} patients cannot be split with {held_out:.0%} held out and every one of "
            f"{len(counts)} labels on both sides. Add patients, or set split.held_out lower."
        )
    if method == "k-fold":
        if splits < 2:
            raise CohortError("k-fold needs at least 2 splits: --set split.splits=5.")
        from sklearn.model_selection import StratifiedKFold  # takes a second to import

        divider = StratifiedKFold(splits, shuffle=True, random_state=seed)
        held = [names[test] for _, test in divider.split(names, labels)]
    else:
        rng, held_counts = np.random.default_rng(seed), _held_out_counts(counts, test_size)
        held = [
            np.concatenate(
                [rng.permutation(names[labels == x])[: held_counts[x]] for x in sorted(counts)]
            )
            for _ in range(splits)
        ]
    tests = [frozenset(test.tolist()) for test in held]
    return tuple(Split(i, frozenset(names.tolist()) - test, test) for i, test in enumerate(tests))


def split_by_column(
    clips: Iterable[ClipRef], patients: Mapping[str, str], column: str
) -> tuple[Split, ...]:
    """Split the patients as a column of their manifest says.

    The column holds `train` and `test`, which is one split; or folds by any other names, of which
    each is held out once.

    Args:
        clips: clips of a cohort, with their annotations.
        patients: patient -> label, of the patients to split.
        column: name of the column.

    Raises:
        CohortError: a patient has no fold, or two; or there is one fold only.
    """
    folds: dict[str, set[str]] = {patient: set() for patient in patients}
    for ref in clips:
        if ref.patient in folds:
            folds[ref.patient].add(ref.labels.get(column, "").strip())
    wrong = [patient for patient, named in folds.items() if len(named) != 1 or "" in named]
    if wrong:
        raise CohortError(
            f"The column {column!r} (split.column) must name one fold for each patient, the same "
            f"in all of the patient's rows. {len(wrong)} patients have none or several, such as "
            f"{', '.join(sorted(wrong)[:3])}."
        )
    of_patient = {patient: next(iter(named)) for patient, named in folds.items()}
    names = sorted(set(of_patient.values()))
    sides = {name.lower(): name for name in names}
    if set(sides) <= {"train", "test"}:
        names = [sides["test"]] if "test" in sides else []
    if not names or len(set(of_patient.values())) < 2:
        raise CohortError(
            f"The column {column!r} (split.column) names fewer than two folds: write train and "
            "test, or the number of each patient's fold."
        )
    everyone = frozenset(of_patient)
    tests = [frozenset(p for p, fold in of_patient.items() if fold == name) for name in names]
    return tuple(Split(i, everyone - test, test) for i, test in enumerate(tests))


def _held_out_counts(counts: Mapping[str, int], total: int) -> dict[str, int]:
    """Number of held-out patients of each label: in proportion, at least one, never all.

    scikit-learn's StratifiedShuffleSplit is not used, because it can leave a rare label on one side
    only.
    """
    share = total / sum(counts.values())
    held = {x: min(max(int(n * share), 1), n - 1) for x, n in sorted(counts.items())}

    def shortage(x: str) -> float:
        return counts[x] * share - held[x]

    while sum(held.values()) < total:
        held[max((x for x in held if held[x] < counts[x] - 1), key=shortage)] += 1
    while sum(held.values()) > total:
        held[min((x for x in held if held[x] > 1), key=shortage)] -= 1
    return held
