"""Views and patients in the names of files and folders, and pseudonyms of patients."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from echokit import VIEWS
from echokit_io.recognise import stem

_SPELLING = "|".join(view.replace("-", "[-_ ]?") for view in VIEWS)
_VIEW = re.compile(rf"(?<![A-Za-z0-9])(?:{_SPELLING})(?![A-Za-z0-9])", re.IGNORECASE)
_NUMBERED = re.compile(rf"(\d+)[ _-]?((?i:{_SPELLING})|[A-Z]{{2,6}})")
"""`<number><VIEW>`, as the newborn study names its files: 30KAPAP is KAPAP of patient 30."""
_GENERIC = re.compile(
    r"(videos?|clips?|data|dicoms?|dcm|avi|mp4|files|patients|subjects|train|val(id(ation)?)?|test"
    r"|batch\W?\d*|\d+[-_ ]?fps)",
    re.IGNORECASE,
)
"""Folders that sort files rather than name a patient."""
PATIENT = "\0"
"""Placeholder of the patient in a path, until the pseudonym is known."""


@dataclass(frozen=True, slots=True)
class PathInfo:
    """Patient and view in a path below the source."""

    patient: str
    """The patient; empty if the path names none."""
    view: str | None
    """The view in canonical spelling, or a site's own name."""
    template: str
    """The path without its suffix, with `PATIENT` in the place of the patient."""
    by_folder: bool
    """True if a folder, not the file's own name, names the patient."""


def canonical(view: str) -> str:
    """Return a view in canonical spelling (`psax_p` is `PSAX-P`); a site's name is unchanged."""
    bare = re.sub(r"[-_\s]", "", view).upper()
    return {name.replace("-", ""): name for name in VIEWS}.get(bare, view.strip())


def pseudonym(patient: str) -> str:
    """Make a pseudonym: `P-` and ten hexadecimal digits of the SHA-256 of the identifier."""
    return f"P-{hashlib.sha256(patient.strip().encode('utf-8', 'replace')).hexdigest()[:10]}"


def conceal(text: str, words: Iterable[str], replacement: str) -> str:
    """Replace words by a pseudonym, where they stand alone in a text."""
    for word in words:
        if len(word) > 2:  # initials would match too often
            pattern = rf"(?<![^\W_]){re.escape(word)}(?![^\W_])"
            text = re.sub(pattern, lambda _: replacement, text, flags=re.IGNORECASE)
    return text


def from_path(relative: PurePosixPath) -> PathInfo:
    """Read patient and view from a path below the source.

    The topmost folder names the patient: a deeper one may be one of several studies of the same
    patient, who must stay on one side of a split.
    """
    folders, name = relative.parts[:-1], stem(relative.name)
    view, patient, hidden = _split_name(name)
    if view is None:
        views = map(_view_of, reversed(folders))
        view = next((folder_view for folder_view in views if folder_view), None)
    for level, folder in enumerate(folders):
        if not _VIEW.fullmatch(folder) and not _GENERIC.fullmatch(folder):
            parts = (*folders[:level], PATIENT, *folders[level + 1 :], name)
            return PathInfo(folder.strip(), view or None, "/".join(parts), True)
    return PathInfo(patient, view or None, "/".join((*folders, hidden)), False)


def _split_name(name: str) -> tuple[str | None, str, str]:
    """Split a file's name into view, patient, and the name without the patient.

    The view is empty if it is ambiguous, and None if there is none.
    """
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        return canonical(numbered[2]), numbered[1], PATIENT + name[numbered.end(1) :]
    views = list(_VIEW.finditer(name))
    if not views:
        return None, name, PATIENT
    before, after = name[: views[0].start()], name[views[-1].end() :]
    if patient := before.strip(" _-."):
        return _view_of(name), patient, before.replace(patient, PATIENT) + name[len(before) :]
    patient = after.strip(" _-.")
    hidden = name[: len(name) - len(after)] + after.replace(patient, PATIENT)
    return _view_of(name), patient, hidden if patient else name


def _view_of(text: str) -> str:
    """Find the view in a text; empty if there is none, or more than one."""
    views = {canonical(match[0]) for match in _VIEW.finditer(text)}
    return views.pop() if len(views) == 1 else ""


def unique(names: Sequence[str], paths: Sequence[PurePosixPath]) -> list[str]:
    """Make equal identifiers unique: by their files' suffixes, else by a digest of their paths."""
    with_suffix = [
        f"{name}{path.name[len(stem(path.name)) :]}"
        for name, path in zip(names, paths, strict=True)
    ]
    with_digest = [
        f"{name}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
        for name, path in zip(names, paths, strict=True)
    ]
    once, suffixed = Counter(names), Counter([*with_suffix, *names])
    return [
        name if once[name] == 1 else longer if suffixed[longer] == 1 else digest
        for name, longer, digest in zip(names, with_suffix, with_digest, strict=True)
    ]
