"""The header of a cleaned clip, made anew from what may stay of the original."""

from __future__ import annotations

import math
from collections.abc import Iterator, MutableSequence
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UltrasoundMultiFrameImageStorage

from echokit import VIEWS
from echokit_dicom.deidentify import kept, profile
from echokit_dicom.deidentify.identity import Person, new_uid, time_of_day

METHODS = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113101", "Clean Pixel Data Option"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)
"""What was done, by its codes of the scheme DCM (PS3.16 CID 7050)."""
VIEW_CODES = {
    "PLAX": ("399139001", "Parasternal long axis"),
    "A4C": ("399214001", "Apical four chamber"),
    "PSAX-P": ("399271003", "Parasternal short axis at the papillary muscle level"),
    "PSAX-S": ("399239005", "Parasternal short axis at the aortic valve level"),
}
"""Canonical view -> its SNOMED CT code (PS3.16 CID 12226), which has none for the apical level."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of the attributes of one header; no value of them is in it."""

    removed: tuple[tuple[str, str], ...]
    """(keyword, or group and element; what PS3.15 says of it) of all that are not in the copy."""
    private: int
    """Number of private attributes, all of which are removed."""
    emptied: tuple[str, ...]
    """Keywords of attributes that must be there and are empty, or hold a dummy."""
    moved: tuple[str, ...]
    """Keywords of dates that are moved."""
    replaced: tuple[str, ...]
    """Keywords of unique identifiers that are replaced."""


def clean_header(
    tags: Dataset, person: Person, *, view: str | None, synthetic: bool, own: str
) -> tuple[Dataset, Changes]:
    """Make the header of the cleaned clip: PS3.15 basic profile, with two of its options.

    The options are Clean Pixel Data (E.3.1), for which the caller blackens the pixels, and Retain
    Longitudinal Temporal Information With Modified Dates (E.3.6): dates are moved back by the
    patient's number of days, times of day stay.

    Args:
        tags: the original's header; it stays as it is.
        person: the patient.
        view: the view, written if it is a canonical one.
        synthetic: whether the clip is simulated.
        own: a text of this file alone, for identifiers that the original lacks.

    Returns:
        The header without pixels and what describes them; and what was changed.
    """
    made = Dataset()
    for keyword in kept.EMPTY:
        setattr(made, keyword, "" if dictionary_VR(keyword) != "IS" else None)
    for keyword, kind in kept.UIDS.items():
        setattr(made, keyword, new_uid(_text(tags, keyword) or f"{kind} of {own}", kind))
    moved = [*_dates(tags, person, made)]
    for keyword in kept.NUMBERS:
        digits = kept.OWN_DIGITS if keyword in kept.IDENTIFIERS else kept.DIGITS
        _copy_numbers(tags, made, keyword, digits)
    for keyword, words in kept.WORDS.items():
        given = _text(tags, keyword).split("\\")
        if all(word in words for word in given):
            setattr(made, keyword, given if len(given) > 1 else given[0])
    made.Manufacturer = kept.maker(_text(tags, "Manufacturer"))
    if synthetic:
        made.SyntheticData = "YES"
    regions = [_region(item) for item in _items(tags, "SequenceOfUltrasoundRegions")]
    if regions:
        made.SequenceOfUltrasoundRegions = regions
    _write_identity(made, person)
    _write_view(made, view)
    return made, _changes(tags, made, tuple(moved))


def _write_identity(made: Dataset, person: Person) -> None:
    made.PatientName = made.PatientID = person.pseudonym
    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = [meaning for _, meaning in METHODS]
    made.DeidentificationMethodCodeSequence = [
        _code(value, "DCM", meaning) for value, meaning in METHODS
    ]
    made.LongitudinalTemporalInformationModified = "MODIFIED"
    made.BurnedInAnnotation = made.RecognizableVisualFeatures = "NO"
    made.SOPClassUID = UltrasoundMultiFrameImageStorage
    made.Modality = "US"
    made.ImageType = ["DERIVED", "PRIMARY"]  # its pixels are not those of the scanner any more


def _write_view(made: Dataset, view: str | None) -> None:
    if view in VIEWS:
        made.ViewName = view
        for keyword in ("NumberOfStages", "NumberOfViewsInStage"):  # type 2C beside a view
            if keyword not in made:
                setattr(made, keyword, None)
    if view in VIEW_CODES:
        value, meaning = VIEW_CODES[view]
        made.ViewCodeSequence = [_code(value, "SCT", meaning)]


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _dates(tags: Dataset, person: Person, made: Dataset) -> Iterator[str]:
    """Write the dates that are moved, and the times of day that stay; yields the former."""
    for keyword in (*kept.DATES, *kept.MOMENTS):
        move = person.moved_moment if keyword in kept.MOMENTS else person.moved_date
        if value := move(_text(tags, keyword)):
            setattr(made, keyword, value)
            yield keyword
    for keyword, day in zip(kept.TIMES, kept.DATES, strict=True):
        if (value := time_of_day(_text(tags, keyword))) and made.get(day):
            setattr(made, keyword, value)


def _region(item: Dataset) -> Dataset:
    made = Dataset()
    for keyword in kept.REGION_NUMBERS:
        _copy_numbers(item, made, keyword, kept.DIGITS)
    return made


def _copy_numbers(tags: Dataset, made: Dataset, keyword: str, digits: int) -> None:
    """Copy numbers as numbers, so that nothing else of how they are written is copied."""
    try:
        value = tags.get(keyword)
        several = isinstance(value, MutableSequence)
        numbers = [float(number) for number in (value if several else [value])]
    except Exception:  # an empty or malformed value raises almost anything
        return
    if not numbers or not all(math.isfinite(n) and abs(n) < 10**digits for n in numbers):
        return
    vr = dictionary_VR(keyword)
    if vr == "DS":
        written: list[Any] = [f"{number:.10g}" for number in numbers]
    elif vr in ("FD", "FL"):
        written = numbers
    else:
        written = [int(number) for number in numbers]
        if vr in ("US", "UL") and min(written) < 0:
            return
    setattr(made, keyword, written if several else written[0])


def _changes(tags: Dataset, made: Dataset, moved: tuple[str, ...]) -> Changes:
    removed, private = [], 0
    for tag in tags.keys():  # noqa: SIM118 - iterating a data set converts every value
        if tag.is_private:
            private += 1
        elif tag not in made and keyword_for_tag(tag) not in kept.WRITTEN:
            name = keyword_for_tag(tag) or f"({tag.group:04x},{tag.element:04x})"
            removed.append((name, profile.action(tag)))
    emptied = [keyword for keyword in kept.EMPTY if not made.get(keyword) and keyword in tags]
    dummies = [key for key in ("PatientName", "PatientID") if key in tags]
    replaced = tuple(key for key in kept.UIDS if key in tags)
    return Changes(tuple(removed), private, (*dummies, *emptied), moved, replaced)


def _text(tags: Dataset, keyword: str) -> str:
    try:
        value = tags.get(keyword)
        values = value if isinstance(value, MultiValue) else [value]
        return "\\".join("" if one is None else str(one) for one in values).strip("\0 \n\r\t")
    except Exception:  # converting a malformed value raises almost anything
        return ""


def _items(tags: Dataset, keyword: str) -> tuple[Dataset, ...]:
    try:
        return tuple(tags.get(keyword) or ())
    except Exception:  # parsing a malformed sequence raises almost anything
        return ()
