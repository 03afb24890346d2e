"""EchoNet-Dynamic: adult A4C videos with the ejection fraction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from echokit import ClipRef, Loader, Rejection
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
    side_of,
)
from echokit_datasets.loader import DatasetLoader
from echokit_datasets.tables import read_rows

LIST = "FileList.csv"
COLUMNS = ("FileName", "EF", "ESV", "EDV", "Split")
SPLITS = ("TRAIN", "VAL", "TEST")
TITLE = "EchoNet-Dynamic"
EXPECTED = f"{LIST} (columns {', '.join(COLUMNS)}) and the folder Videos/ of its .avi files"


def echonet_dynamic(
    source: str, *, limits: Mapping[str, float] | None = None, isolate: bool = False
) -> Loader:
    """EchoNet-Dynamic: adult apical four-chamber videos with the ejection fraction.

    Layout: `FileList.csv` and `Videos/*.avi`, 112 x 112. `VolumeTracings.csv` is not read.
    Labels: every column of the list as written (`EF` in per cent, `ESV` and `EDV` in millilitres),
    `Split` too. Split: `Split` is TRAIN, VAL or TEST; the label `side` is `test` for TEST and
    `train` for the others, for `split.method = "file"` and `split.column = "side"`. The list names
    no patients: each video counts as a patient of its own, as a secondary source states.

    Licence: Stanford University's research use agreement; not commercial, not to be redistributed.
    Access: https://echonet.github.io/dynamic/. Nothing is downloaded.
    Publication: Ouyang et al., Nature 580 (2020), doi:10.1038/s41586-020-2145-8.

    Args:
        source: the folder of the data set.
        limits: what reading a file may cost, as for the loader `files`.
        isolate: read files in another process, as for the loader `files`.

    Raises:
        DataError: there is no such folder, or it is laid out otherwise.
    """
    return DatasetLoader(DYNAMIC, source, limits=limits, isolate=isolate)


def _check(root: Path) -> None:
    require(root, TITLE, EXPECTED, LIST, "Videos/")


def _find(root: Path) -> Iterator[Found]:
    for line, cells in read_rows(root / LIST, COLUMNS):
        if isinstance(cells, str):
            yield Found(Rejection(f"line {line} of {LIST}", cells))
            continue
        name = cells["FileName"].removesuffix(".avi")
        file = f"Videos/{name}.avi"
        split = cells["Split"].upper()
        fault = name_fault(name) or file_fault(root, file)
        if split not in SPLITS:
            fault = fault or "its Split is none of TRAIN, VAL and TEST"
        if fault:
            yield Found(Rejection(shown(name, LIST, line), fault), file)
            continue
        known = labels(cells, ["FileName"], **{SIDE: side_of(split)})
        yield Found(ClipRef(name, name, "A4C", known, file), file)


DYNAMIC = Dataset(
    name="echonet-dynamic",
    title=TITLE,
    expected=EXPECTED,
    check=_check,
    find=_find,
    suffixes=(".avi",),
    counts=(
        Count(10_030),
        Count(7_465, "Split", "TRAIN"),
        Count(1_288, "Split", "VAL"),
        Count(1_277, "Split", "TEST"),
    ),
    known=(LIST, "VolumeTracings.csv"),
)
