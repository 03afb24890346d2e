"""Values of DICOM tags that may be absent, empty, multiple or invalid."""

from __future__ import annotations

import math
from collections.abc import MutableSequence
from typing import Any


def numbers(tags: Any, keyword: str) -> tuple[float, ...]:
    """Read the numbers of a tag; empty if it is absent or a value is not a finite number."""
    try:
        value = tags.get(keyword)
        values = value if isinstance(value, MutableSequence) else [value]
        converted = tuple(float(element) for element in values if element is not None)
    except Exception:  # converting a malformed value raises almost anything
        return ()
    return converted if all(map(math.isfinite, converted)) else ()


def number(tags: Any, keyword: str) -> float | None:
    """Read the first number of a tag; None if there is none."""
    return next(iter(numbers(tags, keyword)), None)


def text(tags: Any, keyword: str) -> str:
    """Read the text of a tag without padding; empty if it is absent or unreadable."""
    try:
        value = tags.get(keyword)
        values = value if isinstance(value, MutableSequence) else [value]
        joined = "\\".join("" if element is None else str(element) for element in values)
        return joined.strip("\0 \n\r\t")
    except Exception:  # converting a malformed value raises almost anything
        return ""


def items(tags: Any, keyword: str) -> tuple[Any, ...]:
    """Read the data sets of a sequence; empty if it is absent or unreadable."""
    try:
        return tuple(tags.get(keyword) or ())
    except Exception:  # parsing a malformed sequence raises almost anything
        return ()
