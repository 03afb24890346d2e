"""Pseudonyms in the place of whatever a path, a header or a sheet says of a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from echokit import VIEWS, ClipRef, Rejection, keyed_digest, pseudonym

CHOICES = ("hash", "as-is")
"""What the option `patients` of a loader may be."""
LINE = "line {} of the manifest"
"""Where a row of a manifest is."""
ROW = "row {} of the sheet"
"""Where a row of a sheet of grades is."""
_PLACE = re.compile("|".join(place.format("[0-9]+") for place in (LINE, ROW)))


def hide(
    items: Iterable[ClipRef | Rejection], explicit: Iterable[str] = ()
) -> Iterator[ClipRef | Rejection]:
    """Replace patients, identifiers and paths of clips and rejections.

    A clip is named by its patient's pseudonym, its view, and digits of its address; a rejected file
    by its number in the listing. `ClipRef.where` stays as it is, since the clip is read by it.

    Args:
        items: what a loader lists.
        explicit: identifiers of clips that the author of a manifest chose; they stay.
    """
    chosen = frozenset(explicit)
    for number, item in enumerate(items, start=1):
        if isinstance(item, ClipRef):
            hidden = pseudonym(item.patient)
            name = item.clip if item.clip in chosen else _identifier(item, hidden)
            yield replace(item, clip=name, patient=hidden, study=hidden_study(item))
        else:
            patient = pseudonym(item.patient) if item.patient else None
            is_shown = item.where in chosen or _PLACE.fullmatch(item.where)
            where = item.where if is_shown else pseudonym(item.where, shown=f"file {number}")
            yield replace(item, where=where, patient=patient)


def hidden_study(ref: ClipRef) -> str:
    """Return what stands for a study: `S-` and eight digits; empty where the file names none."""
    if not ref.study:
        return ""
    digits = keyed_digest(f"echokit: study {ref.study} of {ref.patient.strip()}", 8)
    return pseudonym(ref.study, shown=f"S-{digits}")


def _identifier(ref: ClipRef, patient: str) -> str:
    view = ref.view if ref.view in VIEWS else "clip"
    digits = pseudonym(ref.where or ref.clip).removeprefix("P-")[:8]
    return pseudonym(ref.where or ref.clip, shown=f"{patient}-{view}-{digits}")
