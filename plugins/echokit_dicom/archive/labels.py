"""Labels of an archive's studies, from a sheet: the archive itself holds none."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from echokit import DataError

KEYS = {
    "study": "StudyInstanceUID",
    "accession": "AccessionNumber",
    "patient": "PatientID",
}
"""Column that may say whose a row is -> the attribute of DICOM that it is compared with."""
LARGEST = 50_000_000
"""Largest number of bytes of a sheet."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels by study or patient."""

    column: str
    """Which of `KEYS` the rows are told apart by; empty for no labels."""
    rows: Mapping[str, Mapping[str, str]] = field(repr=False)
    """Study or patient -> labels."""

    def of(self, path: Path, patient: str) -> Mapping[str, str]:
        """Return the labels of a file's study or patient; none where the sheet has no row of it."""
        if not self.column:
            return MappingProxyType({})
        from pydicom import dcmread

        keyword = KEYS[self.column]
        tags = dcmread(path, stop_before_pixels=True, specific_tags=[keyword])
        value = patient if self.column == "patient" else str(tags.get(keyword) or "").strip()
        return self.rows.get(value, MappingProxyType({}))


NO_LABELS = Labels("", MappingProxyType({}))


def read_labels(path: Path) -> Labels:
    """Read a CSV in UTF-8 with one of the columns `study`, `accession` and `patient`, and labels.

    Raises:
        DataError: it cannot be read, says not whose its rows are, or says it twice.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path.name} has more than {LARGEST:,} bytes: it is no sheet.")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"The sheet of labels {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path.name} is not in UTF-8: save it as `CSV UTF-8`.") from None
    reader = csv.DictReader(text.splitlines(), restval="")
    columns = [name.strip() for name in reader.fieldnames or ()]
    keys = [name for name in KEYS if name in columns]
    if len(keys) != 1 or len(columns) < 2:
        raise DataError(
            f"{path.name} has the columns {', '.join(columns) or 'none'}: it needs one of "
            f"{', '.join(KEYS)}, and a column for each label."
        )
    rows: dict[str, Mapping[str, str]] = {}
    for number, row in enumerate(reader, start=2):
        cells = {name.strip(): (value or "").strip() for name, value in row.items() if name}
        whose = cells.pop(keys[0], "")
        if not whose:
            raise DataError(f"{path.name}, line {number}: the column {keys[0]!r} is empty.")
        if rows.setdefault(whose, cells) != cells:
            raise DataError(f"{path.name}, line {number}: its {keys[0]} has two rows that differ.")
    return Labels(keys[0], MappingProxyType(rows))
