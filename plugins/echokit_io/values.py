"""Single values out of DICOM tags that may be absent, empty, several or nonsense."""

from __future__ import annotations

import math
from collections.abc import MutableSequence
from typing import Any


def numbers(tags: Any, keyword: str) -> tuple[float, ...]:
    """Every finite number of a tag; empty if it is absent or any of it is no number."""
    try:
        value = tags.get(keyword)
        several = value if isinstance(value, MutableSequence) else [value]
        found = tuple(float(each) for each in several if each is not None)
    except Exception:  # converting a malformed value raises almost anything
        return ()
    return found if all(map(math.isfinite, found)) else ()


def number(tags: Any, keyword: str) -> float | None:
    """The first number of a tag, or None."""
    return next(iter(numbers(tags, keyword)), None)


def text(tags: Any, keyword: str) -> str:
    """The text of a tag without padding; empty if it is absent or unreadable."""
    try:
        value = tags.get(keyword)
        several = value if isinstance(value, MutableSequence) else [value]
        return "\\".join("" if each is None else str(each) for each in several).strip("\0 \n\r\t")
    except Exception:  # converting a malformed value raises almost anything
        return ""


def items(tags: Any, keyword: str) -> tuple[Any, ...]:
    """The data sets of a sequence; empty if it is absent or unreadable."""
    try:
        return tuple(tags.get(keyword) or ())
    except Exception:  # parsing a malformed sequence raises almost anything
        return ()
