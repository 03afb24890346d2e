"""Views and patients as names of files and folders tell them, and pseudonyms for both."""

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
"""Stands for the patient in a path until it is known what to call them."""


@dataclass(frozen=True, slots=True)
class PathFacts:
    """What a path below the source says."""

    patient: str
    """The patient; empty if nothing in the path names one."""
    view: str | None
    """The view in canonical spelling, or a site's own."""
    template: str
    """The path without its suffix, with `PATIENT` where it names the patient."""
    by_folder: bool
    """True if a folder, not the file's own name, names the patient."""


def canonical(view: str) -> str:
    """A view in canonical spelling (`psax_p` is `PSAX-P`); a site's own name as it is."""
    bare = re.sub(r"[-_\s]", "", view).upper()
    return {name.replace("-", ""): name for name in VIEWS}.get(bare, view.strip())


def pseudonym(patient: str) -> str:
    """`P-` and ten hexadecimal digits of the SHA-256 of a patient's identifier."""
    return f"P-{hashlib.sha256(patient.strip().encode('utf-8', 'replace')).hexdigest()[:10]}"


def conceal(text: str, words: Iterable[str], instead: str) -> str:
    """Put a pseudonym wherever one of the words stands by itself in a text."""
    for word in words:
        if len(word) > 2:
            pattern = rf"(?<![^\W_]){re.escape(word)}(?![^\W_])"
            text = re.sub(pattern, lambda _: instead, text, flags=re.IGNORECASE)
    return text


def from_path(relative: PurePosixPath) -> PathFacts:
    """Read patient and view off a path below the source.

    The topmost folder names the patient, because a deeper one may be one of several studies of
    the same patient, who must stay on one side of a split.
    """
    folders, name = relative.parts[:-1], stem(relative.name)
    view, patient, hidden = _split_name(name)
    if view is None:
        view = next((found for part in reversed(folders) if (found := _view_of(part))), None)
    for level, folder in enumerate(folders):
        if not _VIEW.fullmatch(folder) and not _GENERIC.fullmatch(folder):
            parts = (*folders[:level], PATIENT, *folders[level + 1 :], name)
            return PathFacts(folder.strip(), view or None, "/".join(parts), True)
    return PathFacts(patient, view or None, "/".join((*folders, hidden)), False)


def _split_name(name: str) -> tuple[str | None, str, str]:
    """(view, patient, name without patient) of a file; an ambiguous view is empty, none None."""
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        return canonical(numbered[2]), numbered[1], PATIENT + name[numbered.end(1) :]
    found = list(_VIEW.finditer(name))
    if not found:
        return None, name, PATIENT
    before, after = name[: found[0].start()], name[found[-1].end() :]
    if patient := before.strip(" _-."):
        return _view_of(name), patient, before.replace(patient, PATIENT) + name[len(before) :]
    patient = after.strip(" _-.")
    hidden = name[: len(name) - len(after)] + after.replace(patient, PATIENT)
    return _view_of(name), patient, hidden if patient else name


def _view_of(text: str) -> str:
    """The one view that a text holds; empty if there is none, or more than one."""
    found = {canonical(match[0]) for match in _VIEW.finditer(text)}
    return found.pop() if len(found) == 1 else ""


def unique(names: Sequence[str], paths: Sequence[PurePosixPath]) -> list[str]:
    """Tell equal identifiers apart: by their files' suffixes, else by a digest of their paths."""
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
