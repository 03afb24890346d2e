"""Write the DICOM objects of a result, and send them once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from pydicom import dcmread
from pydicom.dataset import Dataset

from echokit import StudyResult, SubjectResult, UsageError, whole_file, whole_folder
from echokit_dicom.archive.archive import Archive, Place, persist
from echokit_dicom.objects.source import read_sources

RECEIPT = "sent.txt"
"""Name of the file that says what was sent."""

Make = Callable[[StudyResult, SubjectResult, Mapping[str, Dataset]], Sequence[Dataset]]


@final
@dataclass(frozen=True, slots=True)
class ObjectWriter:
    """Writes the objects of one kind, and sends those that the archive does not hold yet."""

    kind: str
    """First word of the files' names, such as `report`."""
    make: Make
    """Makes the objects of one patient."""
    archive: Archive | None = None
    """Where they are sent; None sends nothing."""

    def __call__(self, result: StudyResult, out: Path) -> list[Path]:
        """Write a new folder of DICOM files, named by patients' pseudonyms, and send them.

        Raises:
            UsageError: `out` exists, or a clip came from no DICOM file.
            DataError: the archive refuses; the files are written all the same.
        """
        if out.exists():
            raise UsageError(f"{out} already exists; choose another folder with --out.")
        made: list[tuple[str, Dataset]] = []
        for subject in result.subjects:
            whose = "-".join(filter(None, (self.kind, subject.patient, subject.study)))
            objects = self.make(result, subject, read_sources(result, subject))
            for number, one in enumerate(objects, start=1):
                tail = f"-{number}" if len(objects) > 1 else ""
                made.append((f"{whose}{tail}.dcm", one))
        with whole_folder(out) as partial:
            for name, one in made:
                one.save_as(partial / name, enforce_file_format=True)
            if self.archive is not None:
                (partial / RECEIPT).write_text("Nothing was sent yet.\n", "utf-8")
        written = [out / name for name, _ in made]
        if self.archive is None:
            return written
        return [*written, self._send(self.archive, written, out / RECEIPT)]

    def _send(self, archive: Archive, files: Sequence[Path], receipt: Path) -> Path:
        """Send files one by one, and say of each that the archive has it."""
        lines = []
        for path in files:
            place = _place_of(path)

            def hand_over(path: Path = path, place: Place = place) -> bool:
                """Asked before each try: the answer to the last may have been lost."""
                if archive.holds(place):
                    return False
                archive.store(path)
                return True

            sent = persist(archive.shown, hand_over)
            state = "sent to" if sent else "already in"
            lines.append(f"{path.name}: {state} {archive.shown}, instance {place.instance}\n")
            with whole_file(receipt) as partial:
                partial.write_text("".join(lines), "utf-8")
        return receipt


def _place_of(path: Path) -> Place:
    tags = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    data = dcmread(path, stop_before_pixels=True, specific_tags=list(tags))
    return Place(*(str(data[tag].value) for tag in tags))
