"""EchoNet-Pediatric: A4C and PSAX videos of children with the ejection fraction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from echokit import ClipRef, Loader, OptionError, Rejection
from echokit_datasets.dataset import (
    SIDE,
    Count,
    Dataset,
    Found,
    file_fault,
    labels,
    name_fault,
    require,
    shown,
)
from echokit_datasets.loader import DatasetLoader, refuse
from echokit_datasets.tables import read_rows

VIEWS = {"A4C": "A4C", "PSAX": "PSAX-P"}
"""Folder -> view. The short axis is taken to be that at the papillary muscles."""
LIST = "FileList.csv"
COLUMNS = ("FileName", "EF", "Split")
FOLDS = frozenset(map(str, range(10)))
TEST_FOLD = "9"
TITLE = "EchoNet-Pediatric"
EXPECTED = (
    f"the folders A4C/ and PSAX/, each with {LIST} (columns {', '.join(COLUMNS)}) and Videos/"
)


def echonet_pediatric(
    source: str,
    *,
    view: Literal["A4C", "PSAX"] | None = None,
    limits: Mapping[str, float] | None = None,
    isolate: bool = False,
) -> Loader:
    """EchoNet-Pediatric: children's A4C and short-axis videos with the ejection fraction.

    Layout: `{A4C,PSAX}/FileList.csv` and `{A4C,PSAX}/Videos/*.avi`. That a file is named
    `<patient>-<study>-<n>.avi`, and the columns but `FileName`, `EF` and `Split`, come from a
    secondary source: a name without its three parts is refused. PSAX is taken for PSAX-P. The
    numbers that clips are compared with (7,643 of 1,958 patients) are a secondary source's too.

    Labels: every column of the list as written (`EF`, `Sex`, `Age`, `Weight`, `Height`). No label
    of pulmonary hypertension. Split: `Split` is a fold from 0 to 9, for `split.method = "file"`,
    `split.column = "Split"`; the label `side` is `test` for fold 9, else `train`. A patient in two
    folds is refused by name.

    Licence: Stanford University's research use agreement; not commercial, not to be redistributed.
    Access: https://echonet.github.io/pediatric/. Nothing is downloaded.
    Publication: Reddy et al., J Am Soc Echocardiogr 36 (2023), doi:10.1016/j.echo.2023.01.015.

    Args:
        source: the folder of the data set.
        view: `A4C` or `PSAX` reads one folder only; None reads both.
        limits: what reading a file may cost, as for the loader `files`.
        isolate: read files in another process, as for the loader `files`.

    Raises:
        DataError: there is no such folder, or it is laid out otherwise.
        OptionError: `view` is neither A4C nor PSAX.
    """
    if view is not None and view not in VIEWS:
        raise OptionError(f"view is {view!r}: write 'A4C' or 'PSAX', or leave it out for both.")
    folders = tuple(VIEWS) if view is None else (view,)
    dataset = replace(
        PEDIATRIC,
        check=partial(_check, folders),
        find=partial(_find, folders),
        counts=PEDIATRIC.counts if view is None else (),
        known=(
            "*/FileList.csv",
            "*/VolumeTracings.csv",
            *(f"{x}/*" for x in VIEWS if x not in folders),
        ),
    )
    return DatasetLoader(dataset, source, limits=limits, isolate=isolate)


def _check(folders: tuple[str, ...], root: Path) -> None:
    for folder in folders:
        require(root, TITLE, EXPECTED, f"{folder}/{LIST}", f"{folder}/Videos/")


def _find(folders: tuple[str, ...], root: Path) -> Iterator[Found]:
    found = [one for folder in folders for one in _videos(root, folder)]
    folds: dict[str, set[str]] = {}
    for one in found:
        if isinstance(one.item, ClipRef):
            folds.setdefault(one.item.patient, set()).add(one.item.labels["Split"])
    for one in found:
        ref = one.item
        if isinstance(ref, ClipRef) and len(folds[ref.patient]) > 1:
            names = " and ".join(sorted(folds[ref.patient]))
            reason = f"its patient is in the folds {names}: read one view with the option view"
            yield replace(one, item=refuse(ref, reason))
        else:
            yield one


def _videos(root: Path, folder: str) -> Iterator[Found]:
    table = f"{folder}/{LIST}"
    for line, cells in read_rows(root / table, COLUMNS):
        if isinstance(cells, str):
            yield Found(Rejection(f"line {line} of {table}", cells, view=VIEWS[folder]))
            continue
        name = cells["FileName"].removesuffix(".avi")
        file = f"{folder}/Videos/{name}.avi"
        clip = shown(name, table, line)
        clip = clip if " of " in clip else f"{folder}/{name}"
        patient, *rest = name.split("-")
        fault = name_fault(name) or file_fault(root, file)
        if not fault and (len(rest) != 2 or not all([patient, *rest])):
            fault = "its name is not <patient>-<study>-<number>, which says whose it is"
        if cells["Split"] not in FOLDS:
            fault = fault or "its Split is no fold from 0 to 9"
        if fault:
            yield Found(Rejection(clip, fault, view=VIEWS[folder]), file)
            continue
        side = "test" if cells["Split"] == TEST_FOLD else "train"
        known = labels(cells, ["FileName"], **{SIDE: side})
        study = f"{patient}-{rest[0]}"
        yield Found(ClipRef(clip, patient, VIEWS[folder], known, file, study=study), file)


PEDIATRIC = Dataset(
    name="echonet-pediatric",
    title=TITLE,
    expected=EXPECTED,
    check=partial(_check, tuple(VIEWS)),
    find=partial(_find, tuple(VIEWS)),
    suffixes=(".avi",),
    counts=(Count(7_643), Count(1_958, "patients")),
)
