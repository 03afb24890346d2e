"""A folder of clips: every file in it becomes a clip or is refused with a reason."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from echokit import VIEWS, ClipError, ClipRef, OptionError, Rejection
from echokit_io.clip_info import ClipInfo
from echokit_io.colour import Colour
from echokit_io.dicom_views import OTHER_VIEWS
from echokit_io.entry import Entry
from echokit_io.formats import examine
from echokit_io.naming import PathInfo, canonical, conceal, from_path, unique
from echokit_io.recognise import stem

Rules = tuple[tuple[re.Pattern[str], str], ...]
"""Patterns of texts, and the view of each, as a user wrote them; the first that is found counts."""
DEEPEST = 50
"""Largest number of folders, one in another, that are looked into."""


def walk(root: Path) -> Iterator[Entry]:
    """List every file below a folder in the order of paths, with a reason if it is refused.

    Links to folders are refused and not followed, so links in a circle do no harm.
    """
    yield from _walk(root, PurePosixPath())


def _walk(root: Path, relative: PurePosixPath) -> Iterator[Entry]:
    try:
        with os.scandir(root / relative) as entries:
            # sorted, so that a cohort has the same order on every file system
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield Entry(relative, f"the folder cannot be listed: {error.strerror}")
        return
    for entry in listed:
        path = relative / entry.name
        if entry.name.startswith("."):
            yield Entry(path, "it is hidden: its name begins with a dot")
        elif entry.is_dir(follow_symlinks=False):
            if len(path.parts) > DEEPEST:
                yield Entry(path, f"it lies more than {DEEPEST} folders deep; move it up")
            else:
                yield from _walk(root, path)
        elif _is_link_to_folder(entry):
            yield Entry(path, "it is a link to a folder; links to folders are not followed")
        elif not _is_utf8(entry.name):
            yield Entry(path, "its name is not valid UTF-8; rename it")
        else:
            yield Entry(path)


def _is_link_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # links in a circle; opening the file reports them
        return False


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(relative: PurePosixPath) -> str:
    """Return a path as text that can be printed and written to any file."""
    return str(relative).encode("utf-8", "backslashreplace").decode()


def index(
    root: Path,
    entries: Iterable[Entry],
    *,
    view: str | None,
    root_name: str,
    colour: Colour = "refuse",
    look: Callable[[Path], ClipInfo] = examine,
    rules: Rules = (),
) -> list[ClipRef | Rejection]:
    """Make a reference to every file that is a clip, and a rejection of every other file.

    Args:
        root: the folder that the files are below.
        entries: the files.
        view: the view of all files; None takes it from each file, then from its path.
        root_name: the patient of a file if neither its header nor its path below `root` names one.
        colour: what happens to clips with colour Doppler.
        look: reads the head of a file.
        rules: patterns of texts, and the view of a file in which one of them is found.
    """
    refer = partial(
        _refer, root, view=view, root_name=root_name, colour=colour, look=look, rules=rules
    )
    items = [refer(entry) for entry in entries]
    refs = [item for item in items if isinstance(item, ClipRef)]
    names = iter(unique([ref.clip for ref in refs], [PurePosixPath(ref.where) for ref in refs]))
    return [
        replace(item, clip=next(names)) if isinstance(item, ClipRef) else item for item in items
    ]


def compile_rules(written: Mapping[str, str] | None) -> Rules:
    """Compile a user's rules: pattern -> view.

    Raises:
        OptionError: a pattern is no regular expression, or its view is empty.
    """
    rules = []
    for pattern, view in (written or {}).items():
        try:
            rules.append((re.compile(pattern, re.IGNORECASE), canonical(view)))
        except (re.error, AttributeError) as error:
            raise OptionError(
                f"view_rules has {pattern!r} = {view!r}, which is no pattern of a view ({error}): "
                'write a regular expression and the view, as in "long.?ax" = "PLAX".'
            ) from None
    return tuple(rules)


def by_rules(rules: Rules, texts: Iterable[str]) -> str | None:
    """Find the view of the first rule that matches a text; None if none does."""
    written = tuple(texts)
    matching = (view for rule, view in rules if any(map(rule.search, written)))
    return next(matching, None)


def check_colour(info: ClipInfo, colour: Colour) -> None:
    """Refuse a clip whose file states that it shows colour Doppler, if it is to be refused.

    Raises:
        ClipError: it does.
    """
    if info.colour and colour == "refuse":
        raise ClipError(
            "it shows colour Doppler (by its regions), of which only the brightness would be left: "
            "take the clip without colour, or blacken the colour with the option colour='remove' "
            "of the loader (--set study.colour=remove)"
        )


def _refer(
    root: Path,
    entry: Entry,
    *,
    view: str | None,
    root_name: str,
    colour: Colour,
    look: Callable[[Path], ClipInfo],
    rules: Rules,
) -> ClipRef | Rejection:
    """Make the reference of one file, or reject it."""
    relative = entry.relative
    try:
        if entry.reason:
            raise ClipError(entry.reason)
        info = look(entry.file or root / relative)
        check_colour(info, colour)
    except ClipError as error:
        return Rejection(printable(relative), str(error))
    path = from_path(relative)
    return ClipRef(
        clip=str(relative.with_name(stem(relative.name))),
        patient=info.patient or path.patient or root_name,
        view=view or by_rules(rules, (*info.texts, str(relative))) or _view(path, info),
        where=str(relative),
        synthetic=info.synthetic,
        study=info.study,
    )


def _view(path: PathInfo, info: ClipInfo) -> str | None:
    """Choose the view: the header's if it is a known one, else the path's, else the header's."""
    names = [canonical(name) for name in info.views]
    known = [name for name in names if name in VIEWS or name in OTHER_VIEWS]
    if known or path.view:
        return known[0] if known else path.view
    # a site's own name of a view must not contain a patient's name
    return next((name for name in names if conceal(name, info.names, "") == name), None)
