"""A draft of a manifest: the clips of a folder, and the columns of a table with odd headers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from echokit import VIEWS, ClipRef, DataError, whole_file
from echokit_io.loader import MANIFEST, FileLoader
from echokit_io.naming import canonical
from echokit_io.recognise import stem

ROLES = {
    "patient": (
        *("patient", "patientid", "patientnr", "patientennummer", "pid", "pat", "subject"),
        *("subjectid", "studyid", "study", "id", "nummer", "number", "nr", "case", "caseid", "mrn"),
    ),
    "view": (
        "view",
        "viewname",
        "window",
        "projection",
        "plane",
        "schnitt",
        "ansicht",
        "einstellung",
    ),
    "file": (
        "file",
        "filename",
        "filepath",
        "path",
        "clip",
        "video",
        "movie",
        "datei",
        "dateiname",
    ),
}
"""Column of a manifest -> headers that mean it, in small letters and digits, by rank."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A manifest that was drafted."""

    columns: Mapping[str, str]
    """Column of the manifest -> header of the table that it is copied from."""
    rows: tuple[tuple[str, ...], ...]
    """Header, then one row for each clip."""
    views: Mapping[str, str]
    """View as the table or a file's name spells it -> canonical view."""
    unmatched_files: tuple[str, ...]
    """Clips without a row of the table."""
    unmatched_rows: tuple[int, ...]
    """Lines of the table without a clip."""
    rejected: int
    """Files that are no clips."""


def draft(folder: Path, table: Path | None) -> Draft:
    """Draft a manifest of a folder.

    Args:
        folder: the clips.
        table: a CSV of labels; None takes the only one in the folder, if there is one.

    Raises:
        DataError: there is no clip, the table cannot be read, or no column names patients or files.
    """
    loader = FileLoader(folder, hashed=False, colour="remove")
    found = list(loader.index())
    clips = [item for item in found if isinstance(item, ClipRef)]
    if not clips:
        raise DataError("The folder holds no clip: echokit data check FOLDER says why.")
    table = table or _only_table(folder)
    lines = [] if table is None else _read(table)
    head = lines[0][1] if lines else []
    columns = guess_columns(head)
    if lines and not {"file", "patient"} & set(columns):
        raise DataError(
            f"No column of {table and table.name} names patients or files. Columns present: "
            f"{', '.join(head)}. Rename one to patient or file."
        )
    labels = [name for name in head if name and name not in columns.values()]
    views: dict[str, str] = {}
    rows: list[tuple[str, ...]] = [("patient", "view", "file", *labels)]
    used: set[int] = set()
    unmatched: list[str] = []
    matched = _Rows(lines, columns)
    # a patient of whom only some files have a row is called in all as in the table
    called = {
        ref.patient: cells[columns["patient"]]
        for ref in clips
        for cells in (matched.of(ref)[1],)
        if cells.get(columns.get("patient", ""))
    }
    for ref in clips:
        number, cells = matched.of(ref)
        if number:
            used.add(number)
        elif lines:
            unmatched.append(ref.where)
        spelled = cells.get(columns.get("view", ""), "") or ref.view or ""
        view = canonical(spelled) if spelled else ""
        if view in VIEWS and spelled != view:
            views[spelled] = view
        patient = cells.get(columns.get("patient", "")) or called.get(ref.patient, ref.patient)
        rows.append((patient, view, ref.where, *(cells.get(name, "") for name in labels)))
    return Draft(
        columns=columns,
        rows=tuple(rows),
        views=views,
        unmatched_files=tuple(unmatched),
        unmatched_rows=tuple(n for n, _ in lines[1:] if n not in used),
        rejected=len(found) - len(clips),
    )


def write_draft(draft: Draft, out: Path) -> None:
    """Write a draft as a CSV that its owner alone may read; a file that is there stays.

    Raises:
        DataError: the file exists.
    """
    if out.exists():
        raise DataError(f"{out} exists already: remove it, or name another file with --out.")
    with whole_file(out) as partial:
        partial.touch(0o600)
        with partial.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(draft.rows)


def guess_columns(head: Iterable[str]) -> dict[str, str]:
    """Guess which header means which column of a manifest."""
    plain = {_plain(name): name for name in reversed(list(head)) if name}
    found: dict[str, str] = {}
    for role, words in ROLES.items():
        word = next((word for word in words if word in plain), None)
        if word is not None and plain[word] not in found.values():
            found[role] = plain[word]
    return found


class _Rows:
    """Rows of a table, found by the file or the patient of a clip."""

    def __init__(self, lines: Sequence[tuple[int, list[str]]], columns: Mapping[str, str]) -> None:
        head = lines[0][1] if lines else []
        self.by_file: dict[str, tuple[int, dict[str, str]]] = {}
        self.by_patient: dict[str, tuple[int, dict[str, str]]] = {}
        for number, written in lines[1:]:
            cells = dict(zip(head, written, strict=False))
            if file := cells.get(columns.get("file", ""), ""):
                self.by_file[_key(file)] = number, cells
            elif patient := cells.get(columns.get("patient", ""), ""):
                self.by_patient.setdefault(_number(patient), (number, cells))

    def of(self, ref: ClipRef) -> tuple[int, dict[str, str]]:
        """Return line and cells of a clip; 0 and nothing where there are none."""
        path = PurePosixPath(ref.where)
        for key in (_key(ref.where), _key(path.name)):
            if key in self.by_file:
                return self.by_file[key]
        return self.by_patient.get(_number(ref.patient), (0, {}))


def _key(file: str) -> str:
    path = PurePosixPath(file.replace("\\", "/"))
    return str(path.with_name(stem(path.name))).lower() if path.name else ""


def _number(patient: str) -> str:
    """Write a patient's number without leading zeros and letters before it: `case003` is `3`."""
    match = re.fullmatch(r"[A-Za-z_ -]*0*(\d+)", patient.strip())
    return match[1] if match else patient.strip().lower()


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _only_table(folder: Path) -> Path | None:
    tables = [path for path in sorted(folder.glob("*.[ct]sv")) if path.name != MANIFEST]
    return tables[0] if len(tables) == 1 else None


def _read(table: Path) -> list[tuple[int, list[str]]]:
    """Read the lines of a CSV, separated by commas, semicolons or tabs, that are not blank."""
    try:
        text = table.read_text("utf-8-sig")
        separator = max(",;\t", key=text.partition("\n")[0].count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{table.name} cannot be read as CSV in UTF-8 ({error}).") from None
    return [(number, cells) for number, cells in lines if any(cells)]
