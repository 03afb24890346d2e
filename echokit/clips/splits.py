"""Split patients into a training side and a held-out side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from echokit.errors import CohortError


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
    # scikit-learn takes a second to import, and predicting a study needs none of it
    from sklearn.model_selection import StratifiedKFold

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
