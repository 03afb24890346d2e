"""NED: echo videos of newborns, labelled by their viewpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from echokit import ClipRef, DataError, Loader, OptionError, Rejection
from echokit_datasets.dataset import (
    Count,
    Dataset,
    Found,
    file_fault,
    labels,
    name_fault,
    names_in,
    wrong_layout,
)
from echokit_datasets.loader import DatasetLoader
from echokit_datasets.tables import read_rows

LIST = "labels.csv"
COLUMNS = ("Filename", "Classification")
SEED = 42
"""Of the published split."""
TITLE = "NED"
EXPECTED = f"a folder for each case, with {LIST} (columns Filename, Classification) and its clips"


def ned(
    source: str,
    *,
    folds: int = 5,
    limits: Mapping[str, float] | None = None,
    isolate: bool = False,
) -> Loader:
    """NED: the neonatal echocardiogram data set, clips of newborns labelled by viewpoint.

    Layout, by the published code (secondary source): `echos_video/<case>/labels.csv` with the
    columns `Filename` (often without `.mp4`) and `Classification`, and the clips beside it. The
    view is the Classification as written; a recipe's `views.alias` maps it.

    Labels: `Classification` (16 viewpoints). Views only, no label of pulmonary hypertension. Split:
    the published code draws k folds of the sorted case folders, shuffled with the seed 42; the
    label `fold` has them, for `split.method = "file"` and `split.column = "fold"`. A case is a
    patient.

    Licence: no licence file is published: ask the authors before using it.
    Access: https://arxiv.org/abs/2501.03967. Nothing is downloaded.

    Args:
        source: the folder `echos_video`, or the one that holds it.
        folds: number of folds, 2 or more.
        limits: what reading a file may cost, as for the loader `files`.
        isolate: read files in another process, as for the loader `files`.

    Raises:
        DataError: there is no such folder, or it is laid out otherwise.
        OptionError: `folds` is below 2.
    """
    if folds < 2:
        raise OptionError(f"folds is {folds}: write 2 or more.")
    dataset = replace(NED, find=partial(_find, folds))
    inner = Path(source).expanduser() / "echos_video"
    at = str(inner) if source and inner.is_dir() else source
    return DatasetLoader(dataset, at, limits=limits, isolate=isolate)


def _check(root: Path) -> None:
    if not any((root / case / LIST).is_file() for case in names_in(root)):
        raise wrong_layout(root, TITLE, EXPECTED, f"no folder in it has a {LIST}")


def _find(folds: int, root: Path) -> Iterator[Found]:
    cases = [name for name in names_in(root) if (root / name).is_dir()]
    fold_of = assign_folds(cases, folds)
    for case in cases:
        if fault := name_fault(case):
            yield Found(Rejection("a case", fault))
            continue
        try:
            yield from _clips(root, case, {"fold": fold_of[case]} if fold_of else {})
        except DataError as error:
            yield Found(Rejection(case, f"its list cannot be used: {error}", case))


def assign_folds(cases: Sequence[str], folds: int) -> Mapping[str, str]:
    """Draw the published folds: case -> number of the fold that holds it out.

    Args:
        cases: names of the case folders, sorted.
        folds: number of folds; with fewer cases there are none.
    """
    if len(cases) < folds:
        return {}
    from sklearn.model_selection import KFold  # takes a second to import

    drawn = KFold(folds, shuffle=True, random_state=SEED).split(cases)
    return {cases[i]: str(fold) for fold, (_, held_out) in enumerate(drawn) for i in held_out}


def _clips(root: Path, case: str, more: Mapping[str, str]) -> Iterator[Found]:
    table = f"{case}/{LIST}"
    for line, cells in read_rows(root / table, COLUMNS):
        if isinstance(cells, str):
            yield Found(Rejection(f"line {line} of {table}", cells, case))
            continue
        name, view = cells["Filename"].removesuffix(".mp4"), cells["Classification"]
        file = f"{case}/{name}.mp4"
        fault = name_fault(name) or file_fault(root, file)
        if not fault and not view:
            fault = "its Classification is empty"
        if fault:
            where = f"line {line} of {table}" if name_fault(name) else f"{case}/{name}"
            yield Found(Rejection(where, fault, case, view or None), file)
            continue
        known = labels(cells, ["Filename"], **more)
        yield Found(ClipRef(f"{case}/{name}", case, view, known, file), file)


NED = Dataset(
    name="ned",
    title=TITLE,
    expected=EXPECTED,
    check=_check,
    find=partial(_find, 5),
    suffixes=(".mp4",),
    counts=(Count(1_049),),
    known=(f"*/{LIST}",),
)
