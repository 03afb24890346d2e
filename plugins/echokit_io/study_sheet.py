"""The newborn study's own layout: videos named `<number><VIEW>`, and a sheet of their grades."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import final

from echokit import Clip, ClipError, ClipRef, DataError, Loader, OptionError, Rejection
from echokit_io import folder
from echokit_io.cells import SUFFIXES
from echokit_io.formats import examine
from echokit_io.loader import MANIFEST, FileLoader
from echokit_io.sheet import GRADE, Row, number_of, read_sheet

VIEWS = ("KAPAP", "CV", "LA", "KAKL", "KAAP")
"""The study site's names of its views; a recipe's alias table maps them."""
VIDEOS = (".mp4", ".avi")
_NAME = re.compile(rf"(.+?)[ _-]?({'|'.join(VIEWS)})", re.IGNORECASE)


@final
class SheetLoader:
    """Reads the clips of one folder; see `echokit_io.newborn_sheet` for its layout."""

    def __init__(
        self,
        source: str,
        *,
        sheet: str,
        number: str,
        grade: str,
        header: int,
        labels: Mapping[str, str],
    ) -> None:
        """A loader of a folder, or of the folder that a sheet lies in.

        Raises:
            DataError: there is no such folder, or which sheet is meant cannot be told.
            OptionError: `header` is below 1, or a label would hide the grade.
        """
        if header < 1:
            raise OptionError(f"header is {header}: give the row that names the columns, from 1.")
        if GRADE in labels:
            raise OptionError(f"labels names {GRADE!r}: give its column as the option grade.")
        self.root, self.sheet = _locate(source, sheet)
        self.number, self.grade, self.header = number, grade, header
        self.labels = dict(labels)
        self._files = FileLoader(self.root)

    def index(self) -> Iterator[ClipRef | Rejection]:
        """List every clip, every file that is none, and every row that no clip is of.

        Raises:
            DataError: the sheet cannot be used.
        """
        rows = self.rows()
        patients = _by_number(rows)
        used: set[str] = set()
        for found in self._videos():
            item = self._refer(found, patients) if isinstance(found, _Video) else found
            if isinstance(item, ClipRef):
                used.add(item.patient)
            yield item
        for row in rows:
            if row.fault or row.number not in used:
                reason = row.fault or f"no clip of number {row.number} can be used"
                yield Rejection(f"{self.sheet.name}, row {row.line}", reason, row.number or None)

    def rows(self) -> tuple[Row, ...]:
        """Every row of the sheet.

        Raises:
            DataError: the sheet cannot be used.
        """
        return read_sheet(
            self.sheet,
            number=self.number,
            grade=self.grade,
            header=self.header,
            labels=self.labels,
        )

    def read(self, ref: ClipRef) -> Clip:
        """Read one clip as grey uint8 frames (T, H, W).

        Raises:
            ClipError: it cannot be read; the message is the reason.
        """
        return self._files.read(ref)

    def fingerprint(self, ref: ClipRef) -> str:
        """The SHA-256 of the clip's file.

        Raises:
            ClipError: the file cannot be read; the message is the reason.
        """
        return self._files.fingerprint(ref)

    def _videos(self) -> Iterator[_Video | Rejection]:
        """Every file but the sheet; of videos of one number and view all are refused."""
        twins: dict[str, list[str]] = defaultdict(list)
        found: list[_Video | Rejection] = []
        sheet = os.path.realpath(self.sheet)
        for met in folder.walk(self.root):
            if not met.reason and os.path.realpath(self.root / met.relative) == sheet:
                continue
            item = _name(met)
            found.append(item)
            if isinstance(item, _Video):
                twins[item.clip].append(str(item.relative))
        for item in found:
            if isinstance(item, _Video) and len(twins[item.clip]) > 1:
                said = " and ".join(twins[item.clip])
                reason = f"{said} are all clip {item.clip}; keep one"
                yield Rejection(str(item.relative), reason, item.number, item.view)
            else:
                yield item

    def _refer(self, video: _Video, patients: Mapping[str, Row]) -> ClipRef | Rejection:
        where, row = str(video.relative), patients.get(video.number)
        try:
            if row is None:
                raise ClipError(f"{self.sheet.name} has no row of number {video.number}")
            if row.fault:
                raise ClipError(f"{self.sheet.name}, row {row.line}: {row.fault}")
            facts = examine(self.root / video.relative)
        except ClipError as error:
            return Rejection(where, str(error), video.number, video.view)
        return ClipRef(
            clip=video.clip,
            patient=video.number,
            view=video.view,
            labels=row.labels,
            where=where,
            synthetic=facts.synthetic,
        )


def recognise(source: str, open_study: Callable[[str], Loader]) -> SheetLoader | None:
    """What opens a folder that shows the study's layout; None where it does not.

    It does if it has no manifest, its one sheet has the study's columns and a video is named as at
    the study's site. An .xlsx that cannot be read here, for want of openpyxl, is taken to have
    them: the loader will say what to install.
    """
    path = Path(source).expanduser()
    if not source or not path.is_dir() or (path / MANIFEST).exists():
        return None
    try:
        study = open_study(source)
        assert isinstance(study, SheetLoader)
        if not any(isinstance(_name(met), _Video) for met in folder.walk(study.root)):
            return None
        if study.sheet.suffix.lower() != ".xlsx" or find_spec("openpyxl"):
            study.rows()
    except DataError:
        return None
    return study


@dataclass(frozen=True, slots=True)
class _Video:
    relative: PurePosixPath
    number: str
    view: str

    @property
    def clip(self) -> str:
        return f"{self.number}{self.view}"


def _by_number(rows: Iterable[Row]) -> dict[str, Row]:
    """One row for each number: the first with a fault, else what its rows say together."""
    patients: dict[str, Row] = {}
    for row in rows:
        known = patients.setdefault(row.number, row)
        if not known.fault:
            said = {name: text or row.labels[name] for name, text in known.labels.items()}
            both = replace(known, labels=MappingProxyType(said))
            patients[row.number] = row if row.fault else both
    return patients


def _name(met: folder.Meeting) -> _Video | Rejection:
    """What a file's name says, or why it says nothing."""
    where, suffix = folder.shown(met.relative), met.relative.suffix
    if met.reason:
        return Rejection(where, met.reason)
    if suffix.lower() not in VIDEOS:
        reason = f"it ends in {suffix!r}; clips of this layout end in {' or '.join(VIDEOS)}"
        return Rejection(where, reason)
    said = _NAME.fullmatch(met.relative.stem.strip())
    if said is None:
        example = f"30{VIEWS[0]}{suffix}"
        reason = f"its name is not a number and one of {', '.join(VIEWS)}, such as {example}"
        return Rejection(where, reason)
    return _Video(met.relative, number_of(said[1]), said[2].upper())


def _locate(source: str, sheet: str) -> tuple[Path, Path]:
    """The folder of clips and the sheet.

    Raises:
        DataError: either is not there, or the sheet is not the only one.
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
        there = sorted(each.name for each in path.iterdir() if _may_be_sheet(each))
    except OSError as error:
        raise DataError(f"The folder {source!r} cannot be listed: {error.strerror}.") from None
    listed = f"Sheets in {path.name or path}: {', '.join(there) or 'none'}."
    if sheet:
        table = path / Path(sheet).expanduser()
        if not table.is_file() or table.suffix.lower() not in SUFFIXES:
            raise DataError(f"There is no .xlsx or .csv sheet {str(table)!r}. {listed}")
        return path, table
    if len(there) != 1:
        raise DataError(
            f"{len(there) or 'No'} sheets could name the grades, and one is needed. {listed} "
            "Give the one that is meant as the option sheet."
        )
    return path, path / there[0]


def _may_be_sheet(path: Path) -> bool:
    """True for a sheet that is no hidden one, nor the lock of one that is open."""
    hidden = path.name.startswith((".", "~$"))
    return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()
