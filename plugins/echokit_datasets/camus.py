"""CAMUS: adult apical two- and four-chamber sequences with masks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from echokit import ClipRef, DataError, Loader, Rejection
from echokit_datasets.dataset import (
    SIDE,
    Beside,
    Count,
    Dataset,
    Found,
    file_fault,
    names_in,
    require,
    side_of,
    wrong_layout,
)
from echokit_datasets.loader import DatasetLoader
from echokit_datasets.tables import open_table

VIEWS = {"2CH": "A2C", "4CH": "A4C"}
"""Name of a view in the files -> view."""
STRUCTURES = ("left ventricle", "myocardium", "left atrium")
"""Names of the masks' labels 1 to 3."""
SUBGROUPS = ("training", "validation", "testing")
DATA, SPLIT = "database_nifti", "database_split"
LARGEST = 1 << 16
"""Bytes of the largest text file beside a sequence."""
TITLE = "CAMUS"
EXPECTED = (
    f"{DATA}/patientNNNN/patientNNNN_4CH_half_sequence.nii.gz with Info_4CH.cfg (2CH likewise), "
    f"and {SPLIT}/subgroup_training.txt, _validation and _testing"
)
_PATIENT = re.compile(r"patient\d+")
_RATE = re.compile(r"\d{1,4}(\.\d+)?")


def camus(
    source: str, *, limits: Mapping[str, float] | None = None, isolate: bool = False
) -> Loader:
    """CAMUS: adult two- and four-chamber half cycles, with masks of the left heart in every frame.

    Layout: `CAMUS_public/database_nifti/patientNNNN/patientNNNN_{2CH,4CH}_half_sequence.nii.gz`
    (needs nibabel: `pip install 'echokit-cardiac[nifti]'`), `Info_{2CH,4CH}.cfg` and
    `database_split/subgroup_*.txt`. The older release of `.mhd` files is refused. The views are A2C
    and A4C. Frames per second are the cfg's FrameRate, since the images state none that holds.
    `_half_sequence_gt.nii.gz` becomes the clip's structures; the stills of ED and ES are not read.

    Labels: every line of the cfg as written (`EF`, `ImageQuality`, `Sex`, `Age`, `ED`, `ES`).
    Split: `Split` is training, validation or testing; the label `side` is `test` for testing, else
    `train`, for `split.method = "file"` and `split.column = "side"`.

    Licence: the terms of its access page; not to be redistributed.
    Access: https://www.creatis.insa-lyon.fr/Challenge/camus/. Nothing is downloaded.
    Publication: Leclerc et al., IEEE Trans Med Imaging 38 (2019), doi:10.1109/TMI.2019.2900516.

    Args:
        source: the folder `CAMUS_public`.
        limits: what reading a file may cost, as for the loader `files`.
        isolate: read files in another process, as for the loader `files`.

    Raises:
        DataError: there is no such folder, or it is laid out otherwise.
    """
    return DatasetLoader(CAMUS, source, limits=limits, isolate=isolate)


def _check(root: Path) -> None:
    require(root, TITLE, EXPECTED, f"{DATA}/")
    lists = [f"{SPLIT}/subgroup_{name}.txt" for name in SUBGROUPS]
    require(root, TITLE, EXPECTED, *lists)
    patients = [name for name in names_in(root / DATA) if _PATIENT.fullmatch(name)]
    if not patients:
        raise wrong_layout(root / DATA, TITLE, EXPECTED, "it has no folder patientNNNN")
    first = names_in(root / DATA / patients[0])
    if any(name.endswith(".mhd") for name in first):
        problem = "its images are .mhd, as in the older release; take the release of .nii.gz"
        raise wrong_layout(root / DATA / patients[0], TITLE, EXPECTED, problem)


def _find(root: Path) -> Iterator[Found]:
    groups = _subgroups(root)
    folders = [name for name in names_in(root / DATA) if _PATIENT.fullmatch(name)]
    for patient in sorted({*folders, *groups}):
        for view in VIEWS:
            yield _sequence(root, patient, view, groups.get(patient, ()))


def _subgroups(root: Path) -> Mapping[str, Sequence[str]]:
    """Patient -> names of the lists that name the patient."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in SUBGROUPS:
        file = root / SPLIT / f"subgroup_{name}.txt"
        for line in _text(file).split():
            if not _PATIENT.fullmatch(line):
                raise DataError(f"{file.name} holds {line[:40]!r}, where patientNNNN is expected.")
            groups[line].append(name)
    return groups


def _sequence(root: Path, patient: str, view: str, groups: Sequence[str]) -> Found:
    folder, clip = f"{DATA}/{patient}", f"{patient}_{view}"
    file = f"{folder}/{clip}_half_sequence.nii.gz"
    fault = file_fault(root, file)
    if not fault and len(groups) != 1:
        fault = f"{len(groups)} of the lists in {SPLIT} name its patient, where one is expected"
    info = _info(root / folder / f"Info_{view}.cfg") if not fault else {}
    fault = fault or (info if isinstance(info, str) else "")
    if fault or isinstance(info, str):
        return Found(Rejection(clip, fault, patient, VIEWS[view]), file)
    known = MappingProxyType({**info, "Split": groups[0], SIDE: side_of(groups[0])})
    return Found(ClipRef(clip, patient, VIEWS[view], known, file), file)


def _info(path: Path) -> Mapping[str, str] | str:
    """Read the lines `key: value` of a cfg; returns a text that says why they cannot be used."""
    try:
        lines = _text(path).splitlines()
    except DataError as error:
        return f"its cfg cannot be used: {error}"
    pairs = [line.partition(":") for line in lines if line.strip()]
    if any(not key.strip() or not colon for key, colon, _ in pairs):
        return f"a line of {path.name} is not `key: value`"
    info = {key.strip(): value.strip() for key, _, value in pairs}
    if len(info) != len(pairs):
        return f"{path.name} states something twice"
    if (rate := info.get("FrameRate")) is not None and not _RATE.fullmatch(rate):
        return f"the FrameRate of {path.name} is no number of frames per second"
    return info


def _text(path: Path) -> str:
    with open_table(path) as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST or b"\0" in data:
        raise DataError(f"{path.name} is no short text: copy the data set again.")
    return data.decode("utf-8", "replace")


def _beside(root: Path, ref: ClipRef) -> Beside:
    masks = ref.where.replace("_half_sequence", "_half_sequence_gt")
    rate = float(ref.labels.get("FrameRate", "0"))
    there = masks != ref.where and not file_fault(root, masks)
    return Beside(rate or None, masks if there else "", STRUCTURES)


CAMUS = Dataset(
    name="camus",
    title=TITLE,
    expected=EXPECTED,
    check=_check,
    find=_find,
    suffixes=(".nii.gz",),
    counts=(
        Count(500, "patients"),
        Count(500, "view", "A2C"),
        Count(500, "view", "A4C"),
        *(Count(n, "Split", s) for n, s in zip((800, 100, 100), SUBGROUPS, strict=True)),
    ),
    known=(f"{SPLIT}/*.txt", "*/Info_?CH.cfg", "*_gt.nii.gz", "*_E?.nii.gz"),
    beside=_beside,
)
