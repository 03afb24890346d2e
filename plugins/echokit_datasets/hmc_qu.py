"""HMC-QU: adult A2C and A4C videos with and without myocardial infarction."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from echokit import ClipRef, Loader, Rejection
from echokit_datasets.dataset import Count, Dataset, Found, labels, names_in, wrong_layout
from echokit_datasets.loader import DatasetLoader
from echokit_datasets.tables import Cells, read_rows

VIEWS = ("A2C", "A4C")
TITLE = "HMC-QU"
EXPECTED = "the folders A2C/ and A4C/ of ES0001_CH2_1.avi and the like, with A2C.csv and A4C.csv"
_NAME = re.compile(r"(ES\d+)_CH[24]_\d+")


def hmc_qu(
    source: str,
    *,
    name: str = "ECHO",
    limits: Mapping[str, float] | None = None,
    isolate: bool = False,
) -> Loader:
    """HMC-QU: adult two- and four-chamber videos with and without myocardial infarction.

    Layout, all of it from a secondary source: `{A2C,A4C}/ES0001_CH2_1.avi`, where ES0001 is the
    patient. The tables of labels are published as Excel sheets: save each as CSV, `A2C.csv` and
    `A4C.csv`, beside the folders. Without them the clips have no labels, and it is said. Some
    copies lack the videos (secondary source); then nothing is listed. The masks (`.mat`) are not
    read.

    Labels: every column of the table as written. No split is published.

    Licence: the terms of its access page; not to be redistributed.
    Access: https://www.kaggle.com/datasets/aysendegerli/hmcqu-dataset. Nothing is downloaded.
    Publication: Degerli et al., Biomed Signal Process Control 87 (2024),
    doi:10.1016/j.bspc.2023.105448.

    Args:
        source: the folder `HMC-QU`.
        name: the tables' column of the video's name. It is not verified: a table without it is
            refused, and the columns that it has are listed.
        limits: what reading a file may cost, as for the loader `files`.
        isolate: read files in another process, as for the loader `files`.

    Raises:
        DataError: there is no such folder, or it is laid out otherwise.
    """
    dataset = replace(HMC_QU, find=partial(_find, name))
    return DatasetLoader(dataset, source, limits=limits, isolate=isolate)


def _check(root: Path) -> None:
    if not any((root / view).is_dir() for view in VIEWS):
        raise wrong_layout(root, TITLE, EXPECTED, "it has neither A2C/ nor A4C/")
    for view in VIEWS:
        if (root / f"{view}.xlsx").is_file() and not (root / f"{view}.csv").is_file():
            problem = f"{view}.xlsx is no CSV; open it and save it as {view}.csv (UTF-8)"
            raise wrong_layout(root, TITLE, EXPECTED, problem)


def _find(column: str, root: Path) -> Iterator[Found]:
    for view in VIEWS:
        if (root / view).is_dir():
            yield from _videos(root, view, column)


def _videos(root: Path, view: str, column: str) -> Iterator[Found]:
    table = f"{view}.csv"
    rows: dict[str, list[Cells]] = {}
    has_table = (root / table).is_file()
    if has_table:
        for line, cells in read_rows(root / table, (column,)):
            if isinstance(cells, str):
                yield Found(Rejection(f"line {line} of {table}", cells, view=view))
            else:
                rows.setdefault(cells[column].removesuffix(".avi"), []).append(cells)
    files = [name.removesuffix(".avi") for name in names_in(root / view) if name.endswith(".avi")]
    for clip in files:
        file, own = f"{view}/{clip}.avi", rows.pop(clip, [])
        match = _NAME.fullmatch(clip)
        if match is None:
            yield Found(
                Rejection(f"a file of {view}", "its name is not ES0001_CH2_1", view=view), file
            )
        elif has_table and len(own) != 1:
            reason = f"{len(own)} rows of {table} name it, where one is expected"
            yield Found(Rejection(clip, reason, match[1], view), file)
        else:
            known = labels(own[0] if own else {}, [column])
            yield Found(ClipRef(clip, match[1], view, known, file), file)
    for number, name in enumerate(rows, start=1):
        where = name if _NAME.fullmatch(name) else f"row {number} of {table} without a video"
        yield Found(Rejection(where, f"there is no video of it in {view}/", view=view))


def _remarks(root: Path, clips: Sequence[ClipRef]) -> Iterator[str]:
    if lacking := [f"{view}.csv" for view in VIEWS if not (root / f"{view}.csv").is_file()]:
        yield f"There is no {' and no '.join(lacking)}: these clips have no labels."


HMC_QU = Dataset(
    name="hmc-qu",
    title=TITLE,
    expected=EXPECTED,
    check=_check,
    find=partial(_find, "ECHO"),
    suffixes=(".avi",),
    counts=(Count(162, "view", "A4C"), Count(160, "view", "A2C")),
    known=("A?C.csv", "A?C.xlsx", "*.mat"),
    remarks=_remarks,
)
