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

SPELLINGS = {
    "PLAX": ("Long axis", "Parasternal long axis", "Parasternal long", "PLA", "PSLA", "PSLAX"),
    "A4C": (
        *("4CH", "4 CH", "A4CH", "AP4", "AP4C", "Apical 4", "Apical 4 chamber", "Apical 4CH"),
        *("4 chamber", "4 chamber view", "Four chamber", "Apical four chamber", "4KB"),
    ),
    "PSAX-P": ("PSAX pap", "PSAX papillary", "PSAX PM", "PSAX mid", "SAX PM", "SAX mid"),
    "PSAX-S": ("PSAX AV", "PSAX aortic", "PSAX base", "SAX AV", "SAX aortic"),
    "PSAX-A": ("PSAX apex", "PSAX apical", "SAX apex", "SAX apical"),
}
"""Canonical view -> other spellings, in names of files and folders and in columns. Case, spaces,
hyphens and underscores do not matter."""
_WORDS = sorted(
    (*VIEWS, *(s for words in SPELLINGS.values() for s in words)), key=len, reverse=True
)
_SPELLING = "|".join(re.sub(r"[- ]", "[-_ ]?", word) for word in _WORDS)
_VIEW = re.compile(rf"(?<![A-Za-z0-9])(?:{_SPELLING})(?![A-Za-z0-9])", re.IGNORECASE)
_ARCHIVE = re.compile(r"\.(zip|tar|tgz|tbz2?|tar\.(gz|bz2))$", re.IGNORECASE)
"""Suffixes of archives."""
_OTHER = re.compile(
    r"subcost|subx|suprastern|oesoph|esoph|\b(TEE|TOE|RVOT|RVIT)\b|inflow|outflow"
    r"|(?<![A-Za-z0-9])(A[235]C|AP[235]|A?[235][-_ ]?CH)(?![A-Za-z0-9])"
    r"|apical[-_ ]?([235]|two|three|five|long)",
    re.IGNORECASE,
)
"""Words of views that have none of the canonical names, though a part of them may look like one."""
_NUMBERED = re.compile(rf"(\d+)[ _-]?((?i:{_SPELLING})|[A-Z]{{2,6}})")
"""`<number><VIEW>`, as the newborn study names its files: 30KAPAP is KAPAP of patient 30."""
_GENERIC = re.compile(
    r"(videos?|clips?|data|dicoms?|dcm|avi|mp4|files|patients|subjects|train|val(id(ation)?)?|test"
    r"|batch\W?\d*|\d+[-_ ]?fps)",
    re.IGNORECASE,
)
"""Folders that sort files rather than name a patient."""


@dataclass(frozen=True, slots=True)
class PathInfo:
    """Patient and view in a path below the source."""

    patient: str
    """The patient; empty if the path names none."""
    view: str | None
    """The view in canonical spelling, or a site's own name."""


def canonical(view: str) -> str:
    """Return a view in canonical spelling (`psax_p` is `PSAX-P`); a site's name is unchanged."""
    return _CANONICAL.get(_bare(view), view.strip())


def _bare(view: str) -> str:
    return re.sub(r"[-_\s]", "", view).upper()


_CANONICAL = {_bare(name): name for name in VIEWS} | {
    _bare(word): name for name, words in SPELLINGS.items() for word in words
}


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
    # an archive names what it holds as a folder does
    folders, name = [_ARCHIVE.sub("", part) for part in relative.parts[:-1]], stem(relative.name)
    view, patient = _split_name(name)
    if view is None:
        views = map(_view_of, reversed(folders))
        view = next((folder_view for folder_view in views if folder_view), None)
    for folder in folders:
        if not _VIEW.fullmatch(folder) and not _GENERIC.fullmatch(folder):
            return PathInfo(folder.strip(), view or None)
    return PathInfo(patient, view or None)


def _split_name(name: str) -> tuple[str | None, str]:
    """Split a file's name into view and patient.

    The view is empty if it is ambiguous, and None if there is none.
    """
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        return canonical(numbered[2]), numbered[1]
    views = list(_VIEW.finditer(name))
    if not views:
        return None, name
    before, after = name[: views[0].start()], name[views[-1].end() :]
    return _view_of(name), before.strip(" _-.") or after.strip(" _-.")


def view_in(text: str) -> str:
    """Find the view among other words, as in `A4C LV focus`; empty where another view is named."""
    return "" if _OTHER.search(text) else _view_of(text)


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
