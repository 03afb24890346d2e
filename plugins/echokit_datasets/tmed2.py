"""TMED-2: echo stills of adults, labelled by view and by aortic stenosis."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from echokit import Clip, ClipError, ClipRef, Loader, OptionError, Rejection
from echokit_datasets.dataset import SIDE, Count, Dataset, Found, file_fault, labels, require
from echokit_datasets.loader import DatasetLoader
from echokit_datasets.tables import Cells, open_table, read_rows

LIST, SET = "labels_per_image.csv", "view_and_diagnosis_labeled_set"
FOLDERS = ("labeled", "unlabeled")
COLUMNS = ("query_key", "view_label", "diagnosis_label")
SPLIT = "DEV479/TMED2_fold{}_labeledpart.csv"
SPLITS = ("view_classifier_split", "diagnosis_classifier_split")
VIEWS = {"PLAX": "PLAX", "A4C": "A4C", "A2C": "A2C"}
"""Published label -> view; PSAX says no level, and the rest is no view."""
PIXELS = 4_000_000
"""Most pixels of an image."""
TITLE = "TMED-2"
EXPECTED = f"{LIST} (columns {', '.join(COLUMNS)}) and {SET}/labeled/ of .png files"
_NAME = re.compile(r"(\w+?)s(\d+)_(\d+)\.png")


def tmed2(source: str, *, fold: int = 0) -> Loader:
    """TMED-2: adult echo stills, labelled by view and by severity of aortic stenosis.

    These are stills and no clips: each is read as a clip of ONE frame. Recipes that learn from
    movement, such as `ph-newborn` as it stands, refuse them as too short; a recipe needs
    `sequences.k = 1`. `limits` of the loader `files` do not apply; an image has at most 4 million
    pixels.

    Layout: `view_and_diagnosis_labeled_set/{labeled,unlabeled}/<patient>s<study>_<i>.png`,
    `labels_per_image.csv`, `DEV479/TMED2_fold{0,1,2}_labeledpart.csv`. Views are PLAX, A4C and A2C
    by `view_label`; of PSAX the level is not published, so that it stays `PSAX`.

    Labels: `view_label`, `diagnosis_label` (no_AS to severe_AS, or Not_Provided) as written. Split:
    `view_classifier_split` and `diagnosis_classifier_split` of the fold; the label `side` is that
    of the diagnosis as `train` or `test`, for `split.method = "file"` and `split.column = "side"`;
    it is empty for images that the fold does not list. Patients are grouped over their studies.

    Licence: Tufts Medical Center's data use agreement; not to be redistributed.
    Access: https://tmed.cs.tufts.edu/tmed_v2.html. Nothing is downloaded.

    Args:
        source: the folder of the data set.
        fold: 0, 1 or 2, the published split that is used.

    Raises:
        DataError: there is no such folder, or it is laid out otherwise.
        OptionError: `fold` is none of 0, 1 and 2.
    """
    if fold not in range(3):
        raise OptionError(f"fold is {fold}: write 0, 1 or 2.")
    dataset = replace(TMED2, check=partial(_check, fold), find=partial(_find, fold))
    return DatasetLoader(dataset, source)


def _check(fold: int, root: Path) -> None:
    require(root, TITLE, EXPECTED, LIST, f"{SET}/labeled/", SPLIT.format(fold))


def _find(fold: int, root: Path) -> Iterator[Found]:
    table, of_key = SPLIT.format(fold), {}
    for _, cells in read_rows(root / table, ("query_key", *SPLITS)):
        if not isinstance(cells, str):
            of_key[cells["query_key"]] = cells
    for line, cells in read_rows(root / LIST, COLUMNS):
        where = f"line {line} of {LIST}"
        if isinstance(cells, str):
            yield Found(Rejection(where, cells))
        elif (match := _NAME.fullmatch(cells["query_key"])) is None:
            yield Found(Rejection(where, "its query_key is not <patient>s<study>_<i>.png"))
        else:
            yield _image(root, cells, match, of_key.get(cells["query_key"], {}))


def _image(root: Path, cells: Cells, match: re.Match[str], splits: Cells) -> Found:
    key, patient = match[0], match[1]
    files = [f"{SET}/{folder}/{key}" for folder in FOLDERS]
    there = [file for file in files if not file_fault(root, file)]
    clip, view = key.removesuffix(".png"), cells["view_label"]
    if len(there) != 1:
        fault = f"its file is in {len(there)} of the folders labeled and unlabeled, not in one"
        return Found(Rejection(clip, fault, patient), there[0] if there else "")
    by_diagnosis = splits.get(SPLITS[1], "").lower()
    side = {"train": "train", "val": "train", "test": "test"}.get(by_diagnosis, "")
    more = {name: splits.get(name, "") for name in SPLITS}
    known = labels(cells, ["query_key"], **more, **{SIDE: side})
    shown = VIEWS.get(view, view or None)
    ref = ClipRef(clip, patient, shown, known, there[0], study=f"{patient}s{match[2]}")
    return Found(ref, there[0])


def read_still(path: Path) -> Clip:
    """Read a PNG as a clip of one grey frame.

    Raises:
        ClipError: it is none, or larger than allowed.
    """
    import numpy as np
    from PIL import Image

    with open_table(path) as file:
        try:
            with Image.open(file, formats=("PNG",)) as image:
                if image.width * image.height > PIXELS:
                    raise ClipError(f"it has more than {PIXELS:,} pixels")
                grey = np.asarray(image.convert("L"), np.uint8)
        except ClipError:
            raise
        except Exception as error:  # a damaged image makes Pillow raise almost anything
            raise ClipError(f"it is no PNG that can be read ({type(error).__name__})") from None
    return Clip(frames=grey[None].copy())


def _remarks(root: Path, clips: Sequence[ClipRef]) -> Iterator[str]:
    yield "These are stills: each is a clip of one frame, for recipes with sequences.k = 1 only."


TMED2 = Dataset(
    name="tmed2",
    title=TITLE,
    expected=EXPECTED,
    check=partial(_check, 0),
    find=partial(_find, 0),
    suffixes=(".png",),
    counts=(Count(576, "patients"),),
    known=(LIST, "DEV*/*.csv", "*.csv", "*.txt", "*.md"),
    remarks=_remarks,
    still=read_still,
)
