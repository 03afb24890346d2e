"""The newborn study's layout: videos named `<number><VIEW>`, and a sheet of their grades."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal, final

from echokit import (
    Clip,
    ClipError,
    ClipRef,
    ClipStream,
    DataError,
    Loader,
    OptionError,
    Rejection,
)
from echokit_io import folder
from echokit_io.budget import Budget
from echokit_io.csv_text import listed
from echokit_io.discreet import CHOICES, ROW, hide
from echokit_io.entry import Entry
from echokit_io.formats import USUAL
from echokit_io.grade_sheet import GRADE, Row, number_of, read_sheet
from echokit_io.loader import MANIFEST, FileLoader
from echokit_io.worksheets import SUFFIXES

VIEWS = ("KAPAP", "CV", "LA", "KAKL", "KAAP")
"""The study site's names of its views; a recipe's alias table maps them."""
VIDEOS = (".mp4", ".avi")
"""Suffixes of the study's clips."""
_NAME = re.compile(rf"(.+?)[ _-]?({'|'.join(VIEWS)})", re.IGNORECASE)


@final
class SheetLoader:
    """Loader of a folder in the study's layout; see `echokit_io.newborn_sheet`."""

    def __init__(
        self,
        source: str,
        *,
        sheet: str,
        number: str,
        grade: str,
        header: int,
        labels: Mapping[str, str],
        patients: Literal["hash", "as-is"] = "hash",
        budget: Budget = USUAL,
        isolate: bool = False,
    ) -> None:
        """Make a loader of a folder, or of the folder of a sheet.

        Raises:
            DataError: there is no such folder, or it has no sheet or several.
            OptionError: `header` is below 1, a label has the name of the grade, or `patients` is
                neither `hash` nor `as-is`.
        """
        if patients not in CHOICES:
            raise OptionError(f"patients is {patients!r}: write 'hash' or 'as-is'.")
        if header < 1:
            raise OptionError(f"header is {header}: give the row of the columns' names, from 1.")
        if GRADE in labels:
            raise OptionError(f"labels names {GRADE!r}: give its column as the option grade.")
        self.root, self.sheet = _locate(source, sheet)
        self.number, self.grade, self.header = number, grade, header
        self.labels, self.hashed = dict(labels), patients == "hash"
        self.budget = budget
        self._files = FileLoader(self.root, budget=budget, isolate=isolate)

    def index(self) -> Iterator[ClipRef | Rejection]:
        """List every clip; reject every other file, and every row without a clip.

        Raises:
            DataError: the sheet cannot be used.
        """
        yield from hide(self._listed()) if self.hashed else self._listed()

    def _listed(self) -> Iterator[ClipRef | Rejection]:
        rows = self.rows()
        patients = _by_number(rows)
        used: set[str] = set()
        for video in self._videos():
            item = self._refer(video, patients) if isinstance(video, _Video) else video
            if isinstance(item, ClipRef):
                used.add(item.patient)
            yield item
        for row in rows:
            if row.fault or row.number not in used:
                reason = row.fault or "no clip of its number can be used"
                yield Rejection(ROW.format(row.line), reason, row.number or None)

    def rows(self) -> tuple[Row, ...]:
        """Read every row of the sheet.

        Raises:
            DataError: the sheet cannot be used.
        """
        return read_sheet(
            self.sheet,
            number=self.number,
            grade=self.grade,
            header=self.header,
            labels=self.labels,
            budget=self.budget,
        )

    def read(self, ref: ClipRef) -> Clip:
        """Read one clip as grey uint8 frames (T, H, W).

        Raises:
            ClipError: it cannot be read; the message is the reason.
        """
        return self._files.read(ref)

    def stream(self, ref: ClipRef, needed: Callable[[int], Sequence[int]]) -> ClipStream | None:
        """Open a long video to be read block by block; None for any other clip.

        Raises:
            ClipError: it cannot be read; the message is the reason.
        """
        return self._files.stream(ref, needed)

    def fingerprint(self, ref: ClipRef) -> str:
        """Digest the clip's file by SHA-256.

        Raises:
            ClipError: the file cannot be read; the message is the reason.
        """
        return self._files.fingerprint(ref)

    def _videos(self) -> Iterator[_Video | Rejection]:
        """List every file but the sheet; all videos of the same number and view are refused."""
        twins: dict[str, list[str]] = defaultdict(list)
        items: list[_Video | Rejection] = []
        sheet = os.path.realpath(self.sheet)  # the option may name it by a link
        for entry in folder.walk(self.root):
            if not entry.reason and os.path.realpath(self.root / entry.relative) == sheet:
                continue
            item = _parse_name(entry)
            items.append(item)
            if isinstance(item, _Video):
                twins[item.clip].append(str(item.relative))
        for item in items:
            if isinstance(item, _Video) and len(twins[item.clip]) > 1:
                count = len(twins[item.clip])
                reason = f"{count} files are of this number and view {item.view}; keep one"
                yield Rejection(str(item.relative), reason, item.number, item.view)
            else:
                yield item

    def _refer(self, video: _Video, patients: Mapping[str, Row]) -> ClipRef | Rejection:
        """Make the reference of a video, with the labels of its patient's row."""
        where, row = str(video.relative), patients.get(video.number)
        try:
            if row is None:
                raise ClipError("the sheet has no row of its number")
            if row.fault:
                raise ClipError(f"{ROW.format(row.line)}: {row.fault}")
            info = self._files.examine(self.root / video.relative)
        except ClipError as error:
            return Rejection(where, str(error), video.number, video.view)
        return ClipRef(
            clip=video.clip,
            patient=video.number,
            view=video.view,
            labels=row.labels,
            where=where,
            synthetic=info.synthetic,
        )


def recognise(source: str, open_study: Callable[[str], Loader]) -> SheetLoader | None:
    """Open a folder that has the study's layout; returns None for other folders.

    A folder has the layout if it has no manifest, its only sheet has the study's columns, and a
    video is named as at the study's site.
    """
    path = Path(source).expanduser()
    # a manifest is the user's own list, and takes precedence
    if not source or not path.is_dir() or (path / MANIFEST).exists():
        return None
    try:
        study = open_study(source)
        assert isinstance(study, SheetLoader)
        if not any(isinstance(_parse_name(e), _Video) for e in folder.walk(study.root)):
            return None
        study.rows()
    except DataError:  # no sheet, several, or one without the study's columns
        return None
    return study


@dataclass(frozen=True, slots=True)
class _Video:
    """A video that is named as in the study."""

    relative: PurePosixPath
    """Path below the folder."""
    number: str
    """The patient's number, normalised."""
    view: str
    """The site's name of the view."""

    @property
    def clip(self) -> str:
        """Identifier of the clip."""
        return f"{self.number}{self.view}"


def _by_number(rows: Iterable[Row]) -> dict[str, Row]:
    """Merge the rows of each number; of rows with a fault the first is kept."""
    patients: dict[str, Row] = {}
    for row in rows:
        known = patients.setdefault(row.number, row)
        if not known.fault:
            labels = {name: text or row.labels[name] for name, text in known.labels.items()}
            merged = replace(known, labels=MappingProxyType(labels))
            patients[row.number] = row if row.fault else merged
    return patients


def _parse_name(entry: Entry) -> _Video | Rejection:
    """Read number and view from a file's name, or reject the file."""
    where, suffix = folder.printable(entry.relative), entry.relative.suffix
    if entry.reason:
        return Rejection(where, entry.reason)
    if suffix.lower() not in VIDEOS:
        reason = f"its name ends in none of {' and '.join(VIDEOS)}, as clips of this layout do"
        return Rejection(where, reason)
    match = _NAME.fullmatch(entry.relative.stem.strip())
    if match is None:
        example = f"30{VIEWS[0]}{suffix}"
        reason = f"its name is not a number and one of {', '.join(VIEWS)}, such as {example}"
        return Rejection(where, reason)
    return _Video(entry.relative, number_of(match[1]), match[2].upper())


def _locate(source: str, sheet: str) -> tuple[Path, Path]:
    """Find the folder of clips and the sheet.

    Raises:
        DataError: one of them does not exist, or several files may be the sheet.
    """
    layout = "It is a folder of clips such as 30KAPAP.mp4, with an .xlsx or .csv sheet of grades."
    if not source:
        raise DataError(f"The loader 'newborn-sheet' was given no source. {layout}")
    path = Path(source).expanduser()
    if path.is_file() and path.suffix.lower() in SUFFIXES and not sheet:
        path, sheet = path.parent, path.name
    if not path.is_dir():
        raise DataError(f"There is no folder {source!r}. {layout}")
    try:
        sheets = sorted(entry.name for entry in path.iterdir() if _may_be_sheet(entry))
    except OSError as error:
        raise DataError(f"The folder {source!r} cannot be listed: {error.strerror}.") from None
    present = f"Sheets in {path.name or path}: {listed(sheets) or 'none'}."
    if sheet:
        table = path / Path(sheet).expanduser()
        if not table.is_file() or table.suffix.lower() not in SUFFIXES:
            raise DataError(f"There is no .xlsx or .csv sheet {str(table)!r}. {present}")
        return path, table
    if len(sheets) != 1:
        raise DataError(
            f"{len(sheets) or 'No'} sheets may hold the grades, and one is needed. {present} "
            "Give the right one as the option sheet."
        )
    return path, path / sheets[0]


def _may_be_sheet(path: Path) -> bool:
    """Recognise a sheet that is neither hidden nor the lock file of an open one."""
    hidden = path.name.startswith((".", "~$"))
    return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()
