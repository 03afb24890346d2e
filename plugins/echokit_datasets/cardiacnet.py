"""CardiacNet-PAH: adult A4C videos with and without pulmonary arterial hypertension."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from echokit import ClipRef, Loader, OptionError, Rejection
from echokit_datasets.dataset import Beside, Count, Dataset, Found, file_fault, names_in, require
from echokit_datasets.loader import DatasetLoader, refuse

Shared = Literal["one-patient", "two-patients", "refuse"]
CLASSES = ("PAH", "Non-PAH")
ENDS = ("_image.nii.gz", "_image.nii")
TITLE = "CardiacNet-PAH"
EXPECTED = "the folders PAH/ and Non-PAH/ of NNN_image.nii.gz (or the folder NNN_image.nii/)"


def cardiacnet_pah(
    source: str,
    *,
    shared: Shared = "one-patient",
    limits: Mapping[str, float] | None = None,
    isolate: bool = False,
) -> Loader:
    """CardiacNet-PAH: adult four-chamber videos with and without pulmonary arterial hypertension.

    Layout: `CardiacNet-PAH/{PAH,Non-PAH}/NNN_image.nii.gz` (needs nibabel: `pip install
    'echokit-cardiac[nifti]'`). In one upload `NNN_image.nii` is a folder that holds one
    `*_image.nii` (secondary source). `NNN_label.nii.gz` are sparse masks and are not read. The
    files state no frame rate that holds, so the clips have none.

    Labels: `class`, PAH or Non-PAH, by the folder. No split is published. Numbers may occur in both
    folders (in 53 cases by a secondary source), and whether they are then the same person is not
    published: by default they count as one patient, who is never on two sides of a split, but whom
    `echokit run` takes for PAH.

    Licence: CC BY 4.0, as a secondary source states; the authors ask to be contacted first.
    Access: https://github.com/xmed-lab/CardiacNet. Nothing is downloaded.
    Publication: Yang et al., ECCV 2024.

    Args:
        source: the folder `CardiacNet-PAH`.
        shared: what a number in both folders means: `one-patient`, `two-patients`, or `refuse`,
            which leaves its clips out, each by name.
        limits: what reading a file may cost, as for the loader `files`.
        isolate: read files in another process, as for the loader `files`.

    Raises:
        DataError: there is no such folder, or it is laid out otherwise.
        OptionError: `shared` is none of the three.
    """
    if shared not in get_args(Shared):
        raise OptionError(f"shared is {shared!r}: write {', '.join(get_args(Shared))}.")
    dataset = replace(PAH, find=partial(_find, shared))
    return DatasetLoader(dataset, source, limits=limits, isolate=isolate)


def _check(root: Path) -> None:
    require(root, TITLE, EXPECTED, *(f"{name}/" for name in CLASSES))


def _find(shared: Shared, root: Path) -> Iterator[Found]:
    found = [one for name in CLASSES for one in _videos(root, name)]
    both = _in_both([one.item for one in found if isinstance(one.item, ClipRef)])
    for one in found:
        ref = one.item
        if isinstance(ref, Rejection) or ref.patient not in both or shared == "one-patient":
            yield one
        elif shared == "two-patients":
            yield replace(one, item=replace(ref, patient=ref.clip))
        else:
            reason = "its number is in PAH and in Non-PAH, and whether of one person is not known"
            yield replace(one, item=refuse(ref, reason))


def _videos(root: Path, name: str) -> Iterator[Found]:
    for entry in names_in(root / name):
        end = next((end for end in ENDS if entry.endswith(end)), None)
        if end is None:
            continue
        number, file = entry.removesuffix(end), f"{name}/{entry}"
        clip = f"{name}/{number}"
        if (root / file).is_dir():
            inner = [one for one in names_in(root / file) if one.endswith("_image.nii")]
            if len(inner) != 1:
                reason = f"its folder holds {len(inner)} files *_image.nii, where one is expected"
                yield Found(Rejection(file, reason, number, "A4C"))
                continue
            file = f"{file}/{inner[0]}"
        if fault := file_fault(root, file) or ("" if number else "its name has no number"):
            yield Found(Rejection(f"a file of {name}", fault, view="A4C"), file)
            continue
        labels = MappingProxyType({"class": name})
        yield Found(ClipRef(clip, number, "A4C", labels, file), file)


def _in_both(clips: Iterable[ClipRef]) -> set[str]:
    """Numbers of patients that occur in both folders."""
    classes: dict[str, set[str]] = defaultdict(set)
    for ref in clips:
        classes[ref.where.split("/")[0]].add(ref.clip.split("/")[1])
    return set.intersection(*(classes[name] for name in CLASSES))


def _remarks(root: Path, clips: Sequence[ClipRef]) -> Iterator[str]:
    if both := _in_both(clips):
        yield (
            f"Numbers that occur both in PAH and in Non-PAH: {len(both)}. Whether they are of one "
            "person is not published; the option shared says what they count as."
        )


PAH = Dataset(
    name="cardiacnet-pah",
    title=TITLE,
    expected=EXPECTED,
    check=_check,
    find=partial(_find, "one-patient"),
    suffixes=(".nii.gz", ".nii"),
    counts=(Count(342, "class", "PAH"), Count(154, "class", "Non-PAH")),
    known=("*_label.nii.gz", "*_label.nii", "*_label.nii/*"),
    beside=lambda root, ref: Beside(),
    remarks=_remarks,
)
