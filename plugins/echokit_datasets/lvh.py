"""EchoNet-LVH: adult PLAX videos with measurements of the left ventricle's walls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from echokit import ClipRef, Loader, Rejection
from echokit_datasets.dataset import (
    SIDE,
    Count,
    Dataset,
    Found,
    file_fault,
    name_fault,
    names_in,
    require,
    shown,
    side_of,
    wrong_layout,
)
from echokit_datasets.loader import DatasetLoader
from echokit_datasets.tables import read_rows

LIST = "MeasurementsList.csv"
COLUMNS = ("HashedFileName", "Calc", "CalcValue", "split")
SPLITS = ("train", "val", "test")
ONCE = ("Frames", "FPS", "Width", "Height", "split")
"""Columns that say something of the video, not of one measurement."""
SEVERAL = "; "
"""Stands between several values of one measurement, so that no map takes one of them silently."""
TITLE = "EchoNet-LVH"
EXPECTED = f"{LIST} (columns {', '.join(COLUMNS)}) and the folders Batch1/ to Batch4/ of .avi files"


def echonet_lvh(
    source: str, *, limits: Mapping[str, float] | None = None, isolate: bool = False
) -> Loader:
    """EchoNet-LVH: adult parasternal long-axis videos with measurements of the left ventricle.

    Layout: `MeasurementsList.csv`, with a row for each measurement, and
    `Batch1..4/<HashedFileName>.avi`.

    Labels: each `Calc` of a video (`IVSd`, `LVIDd`, `LVPWd`, `LVIDs`) with its `CalcValue` as
    written; several values of one stand as `1.1; 1.2`. `Frames`, `FPS`, `Width`, `Height` too. No
    disease is published. Split: `split` is train, val or test; the label `side` is `test` for test
    and `train` for the others, for `split.method = "file"` and `split.column = "side"`. The list
    names no patients: each video counts as a patient of its own, which is not verified.

    Licence: Stanford University's research use agreement; not commercial, not to be redistributed.
    Access: https://echonet.github.io/lvh/. Nothing is downloaded.
    Publication: Duffy et al., JAMA Cardiology 7 (2022), doi:10.1001/jamacardio.2021.6059.

    Args:
        source: the folder of the data set.
        limits: what reading a file may cost, as for the loader `files`.
        isolate: read files in another process, as for the loader `files`.

    Raises:
        DataError: there is no such folder, or it is laid out otherwise.
    """
    return DatasetLoader(LVH, source, limits=limits, isolate=isolate)


@dataclass(slots=True)
class _Video:
    """What the rows of one video say."""

    line: int
    """The first of its lines."""
    facts: dict[str, set[str]] = field(default_factory=dict)
    """Column that is said once -> what the rows say."""
    values: dict[str, list[str]] = field(default_factory=dict)
    """Measurement -> its values."""


def _check(root: Path) -> None:
    require(root, TITLE, EXPECTED, LIST)
    if not _batches(root):
        raise wrong_layout(root, TITLE, EXPECTED, "it has no folder Batch1")


def _batches(root: Path) -> list[str]:
    return [name for name in names_in(root) if name.startswith("Batch") and (root / name).is_dir()]


def _find(root: Path) -> Iterator[Found]:
    videos: dict[str, _Video] = {}
    for line, cells in read_rows(root / LIST, COLUMNS):
        if isinstance(cells, str):
            yield Found(Rejection(f"line {line} of {LIST}", cells))
            continue
        name = cells["HashedFileName"].removesuffix(".avi")
        video = videos.setdefault(name, _Video(line))
        for column in ONCE:
            if column in cells:
                video.facts.setdefault(column, set()).add(cells[column])
        if cells["Calc"]:
            video.values.setdefault(cells["Calc"], []).append(cells["CalcValue"])
    places: dict[str, list[str]] = {}
    for batch in _batches(root):
        for file in names_in(root / batch):
            places.setdefault(file.removesuffix(".avi"), []).append(f"{batch}/{file}")
    for name, video in videos.items():
        yield from _video(root, name, video, places.get(name, []))


def _video(root: Path, name: str, video: _Video, files: list[str]) -> Iterator[Found]:
    splits = {split.lower() for split in video.facts["split"]}
    fault = name_fault(name)
    if not fault and len(files) != 1:
        fault = f"its file is in {len(files)} of the folders Batch1 to Batch4, not in one"
    fault = fault or file_fault(root, files[0])
    if not fault and (len(splits) != 1 or not splits <= set(SPLITS)):
        fault = "its split is not one of train, val and test, the same in all of its rows"
    if fault:
        for file in files or [""]:
            yield Found(Rejection(shown(name, LIST, video.line), fault, view="PLAX"), file)
        return
    facts = {column: SEVERAL.join(sorted(said)) for column, said in video.facts.items()}
    values = {calc: SEVERAL.join(said) for calc, said in video.values.items()}
    known = MappingProxyType({**values, **facts, SIDE: side_of(splits.pop())})
    yield Found(ClipRef(name, name, "PLAX", known, files[0]), files[0])


LVH = Dataset(
    name="echonet-lvh",
    title=TITLE,
    expected=EXPECTED,
    check=_check,
    find=_find,
    suffixes=(".avi",),
    counts=(Count(12_000),),
    known=(LIST,),
)
