"""The clips of an archive: listed, fetched one by one, and read as files are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import cast, final

from echokit import (
    Clip,
    ClipError,
    ClipRef,
    DataError,
    EchokitError,
    Loader,
    Rejection,
    SupportsFingerprint,
    resolve,
)
from echokit_dicom.archive.archive import TRIES, Archive, Found, Place, persist
from echokit_dicom.archive.cache import Cache
from echokit_dicom.archive.labels import NO_LABELS, Labels

FILES = "files"
"""Name of the loader that reads what has arrived."""
ULTRASOUND = "US"


@dataclass(frozen=True, slots=True)
class Reading:
    """How clips that have arrived are read, and what they are labelled."""

    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """Options of the loader of files."""
    labels: Labels = NO_LABELS
    tries: int = TRIES
    """How often a request is tried."""


@final
class ArchiveLoader:
    """Loader of the studies of an archive that match a query."""

    def __init__(
        self, archive: Archive, query: Mapping[str, str], cache: Cache, reading: Reading
    ) -> None:
        self.archive, self.query, self.cache, self.reading = archive, query, cache, reading

    def index(self) -> Iterator[ClipRef | Rejection]:
        """List every instance as a clip, or refuse it with the reason.

        Clips are fetched as they are listed, since the head of a file alone does not tell whether
        it can be used; what has arrived is not fetched again.

        Raises:
            DataError: the archive cannot be reached or refuses, or holds no such study.
        """
        number = 0
        for number, found in enumerate(self._found(), start=1):
            yield self._listed(found, number)
        if not number:
            raise DataError(
                f"{self.archive.shown} holds no study that matches: check the query "
                f"({', '.join(self.query)})."
            )

    def read(self, ref: ClipRef) -> Clip:
        """Read one clip as grey uint8 frames (T, H, W), fetching it where it has not arrived.

        Raises:
            ClipError: it cannot be fetched or read; the message is the reason.
        """
        loader, own = self._own(ref)
        return loader.read(own)

    def fingerprint(self, ref: ClipRef) -> str:
        """Digest the clip's file.

        Raises:
            ClipError: it cannot be fetched or read.
        """
        loader, own = self._own(ref)
        assert isinstance(loader, SupportsFingerprint)
        return cast("SupportsFingerprint", loader).fingerprint(own)

    def file(self, ref: ClipRef) -> Path:
        """Return the clip's file in the cache, fetching it where it has not arrived.

        Raises:
            ClipError: it cannot be fetched.
        """
        place = _place(ref.where)
        try:
            return self._fetched(place)
        except EchokitError as error:
            raise ClipError(f"it cannot be fetched: {error}") from None

    def _found(self) -> list[Found]:
        """List all instances in a fixed order, anew where the archive breaks off between them."""
        found = persist(
            self.archive.shown,
            lambda: list(self.archive.find(self.query)),
            tries=self.reading.tries,
        )
        # a study whose patients' identifiers differ may be listed once for each
        once = {one.place: one for one in found}
        return [once[place] for place in sorted(once)]

    def _listed(self, found: Found, number: int) -> ClipRef | Rejection:
        where = f"object {number}"
        if reason := _unfit(found):
            return Rejection(where, reason)
        path = self._fetched(found.place)
        (item,) = self._loader(path).index()
        if isinstance(item, Rejection):
            return replace(item, where=where)
        if not (patient := patient_of(path)):
            return Rejection(where, "it names no patient: its PatientID is empty")
        labels = self.reading.labels.of(path, patient)
        return replace(item, where="/".join(_parts(found.place)), labels=labels)

    def _fetched(self, place: Place) -> Path:
        path = self.cache.path(place)
        if not self.cache.has(place):
            persist(
                self.archive.shown,
                lambda: self.archive.fetch(place, path),
                tries=self.reading.tries,
            )
        return path

    def _own(self, ref: ClipRef) -> tuple[Loader, ClipRef]:
        """Return the loader of a clip's file, and the clip as that lists it."""
        loader = self._loader(self.file(ref))
        (item,) = loader.index()
        if isinstance(item, Rejection):
            raise ClipError(item.reason)
        return loader, item

    def _loader(self, path: Path) -> Loader:
        made: Loader = resolve("loader", FILES, source=str(path), **self.reading.options)
        return made


def patient_of(path: Path) -> str:
    """Return the PatientID of a file that the loader of files has accepted."""
    from pydicom import dcmread

    tags = dcmread(path, stop_before_pixels=True, specific_tags=["PatientID"])
    return str(tags.get("PatientID") or "").strip()


def _unfit(found: Found) -> str:
    """Say why an instance is not worth fetching; empty where it may be a clip."""
    if found.modality and found.modality != ULTRASOUND:
        return f"its modality is {found.modality[:4]!r}, not ultrasound ('US')"
    if found.frames is not None and found.frames < 2:
        return "it has one frame: a still image, not a clip"
    if not all(_parts(found.place)):
        return "the archive lists it without its identifiers"
    return ""


def _parts(place: Place) -> tuple[str, str, str]:
    return place.study, place.series, place.instance


def _place(where: str) -> Place:
    parts = where.split("/")
    if len(parts) != 3 or not all(part.replace(".", "").isdecimal() for part in parts):
        raise ClipError("its address is none of an archive")
    return Place(*parts)
