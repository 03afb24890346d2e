"""A folder of clips: every file in it becomes a clip or is refused by name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from echokit import VIEWS, ClipError, ClipRef, Rejection
from echokit_io.facts import Facts
from echokit_io.formats import examine
from echokit_io.naming import PATIENT, PathFacts, canonical, conceal, from_path, pseudonym, unique
from echokit_io.recognise import stem


@dataclass(frozen=True, slots=True)
class Meeting:
    """A file that was met below a folder."""

    relative: PurePosixPath
    reason: str = ""
    """Why it is refused unopened; empty if it may be opened."""


def walk(root: Path) -> Iterator[Meeting]:
    """Every file below a folder in order of path; hidden ones (`.name`) are not there for us.

    Links to folders are refused rather than followed, so a circle of them does no harm.
    """
    yield from _walk(root, PurePosixPath())


def _walk(root: Path, relative: PurePosixPath) -> Iterator[Meeting]:
    try:
        with os.scandir(root / relative) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield Meeting(relative, f"the folder cannot be listed: {error.strerror}")
        return
    for entry in found:
        here = relative / entry.name
        if entry.name.startswith("."):
            yield Meeting(here, "it is hidden: its name begins with a dot")
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(root, here)
        elif _is_link_to_folder(entry):
            yield Meeting(here, "it is a link to a folder; links to folders are not followed")
        elif not _is_utf8(entry.name):
            yield Meeting(here, "its name is not valid UTF-8; rename it")
        else:
            yield Meeting(here)


def _is_link_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # a circle of links; opening it will say so
        return False


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(relative: PurePosixPath) -> str:
    """A path as it can be printed and written to any file."""
    return str(relative).encode("utf-8", "backslashreplace").decode()


def index(
    root: Path, met: Iterable[Meeting], *, view: str | None, hashed: bool, root_name: str
) -> list[ClipRef | Rejection]:
    """Make a reference of every file that is a clip, and a rejection of every other.

    Args:
        root: the folder that the files are below.
        met: the files.
        view: the view of all of them; None takes it from each file, then from its path.
        hashed: replace patients by pseudonyms, in identifiers of clips too.
        root_name: the patient where neither the file nor its path below `root` names one.
    """
    found = [_one(root, meeting, view, hashed, root_name) for meeting in met]
    refs = [item for item in found if isinstance(item, ClipRef)]
    names = unique([ref.clip for ref in refs], [PurePosixPath(ref.where) for ref in refs])
    named = iter(names)
    return [
        replace(item, clip=next(named)) if isinstance(item, ClipRef) else item for item in found
    ]


def _one(
    root: Path, meeting: Meeting, view: str | None, hashed: bool, root_name: str
) -> ClipRef | Rejection:
    relative = meeting.relative
    try:
        if meeting.reason:
            raise ClipError(meeting.reason)
        facts = examine(root / relative)
    except ClipError as error:
        return Rejection(shown(relative), str(error))
    path = from_path(relative)
    raw = facts.patient or path.patient or root_name
    patient = pseudonym(raw) if hashed else raw
    return ClipRef(
        clip=_identifier(relative, path, facts, patient, hashed),
        patient=patient,
        view=view or _view(path, facts),
        where=str(relative),
        synthetic=facts.synthetic,
    )


def _identifier(
    relative: PurePosixPath, path: PathFacts, facts: Facts, patient: str, hashed: bool
) -> str:
    """The path without its suffix; hashed, without words that name the patient either."""
    if not hashed:
        return str(relative.with_name(stem(relative.name)))
    names_patient = path.by_folder or facts.patient is None
    template = path.template if names_patient else str(relative.with_name(stem(relative.name)))
    words = (path.patient, *facts.names) if path.by_folder else facts.names
    return conceal(template, words, patient).replace(PATIENT, patient)


def _view(path: PathFacts, facts: Facts) -> str | None:
    """The file's own word if it is canonical, else the path's, else the file's as it is."""
    spoken = [canonical(word) for word in facts.views]
    known = [word for word in spoken if word in VIEWS]
    if known or path.view:
        return known[0] if known else path.view
    return next((word for word in spoken if conceal(word, facts.names, "") == word), None)
