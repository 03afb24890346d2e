"""Names of files on the disk: a number, the word of a view, and a plain suffix."""

from __future__ import annotations

import re

from echokit import VIEWS

SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}$")
"""A suffix that is kept: loaders recognise files by their content, and need none."""
_WORDS = {re.sub("[-_ ]", "", view): view for view in VIEWS} | {"4CH": "A4C", "AP4": "A4C"}


def plain_name(number: int, given: str) -> str:
    """Name a file by its number, and nothing of what it was called but a view and a suffix.

    >>> plain_name(3, "../Mustermann_Max_psax-p.MP4")
    '0003-PSAX-P.mp4'
    """
    name = re.split(r"[/\\]", given)[-1]
    found = SUFFIX.search(name)
    suffix = found[0].lower() if found else ""
    words = re.sub(
        r"(?i)psax[-_ ]?([psa])(?![a-z])", r"PSAX\1", name.removesuffix(found[0] if found else "")
    )
    views = {_WORDS[w] for w in map(str.upper, re.split(r"[^A-Za-z0-9]+", words)) if w in _WORDS}
    view = f"-{views.pop()}" if len(views) == 1 else ""
    return f"{number:04d}{view}{suffix}"
