"""Who a cleaned clip is of: pseudonyms, unique identifiers and dates, all under one secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from echokit import keyed_digest, pseudonym

FURTHEST = 3652
"""Largest number of days by which dates are moved: ten years."""
_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)$")
"""A date (DA, PS3.5 6.2); the old form has dots."""
_TIME = re.compile(r"\d\d(?::?[0-5]\d(?::?[0-5]\d(?:\.\d{1,6})?)?)?$")
"""A time of day (TM, PS3.5 6.2); the old form has colons."""
_MOMENT = re.compile(r"(\d{8})(\d{0,6}(?:\.\d{1,6})?)(?:[+-]\d{4})?$")
"""A date and time (DT, PS3.5 6.2) to the day or finer, and its offset from UTC."""


@dataclass(frozen=True, slots=True)
class Person:
    """The patient of a clip."""

    pseudonym: str
    """`P-` and twelve digits; the same in every archive that is cleaned under one secret."""
    days: int
    """Days, 1 to `FURTHEST`, by which all of the patient's dates are moved back."""

    @classmethod
    def of(cls, patient: str) -> Person:
        """Make the pseudonym and the shift of dates from a patient's identifier.

        Raises:
            UsageError: the secret can be neither read nor made.
        """
        drawn = int(keyed_digest(f"echokit: days of {patient.strip()}", 16), 16)
        return cls(pseudonym(patient), 1 + drawn % FURTHEST)

    def moved_date(self, written: str) -> str:
        """Move a date (DA); empty if it is none, or if there is no day that long before."""
        found = _DATE.match(written.strip())
        if not found:
            return ""
        try:
            moved = date(*map(int, found.groups())) - timedelta(days=self.days)
        except (ValueError, OverflowError):  # the 31st of February, or the year 0
            return ""
        return f"{moved:%Y%m%d}" if moved.year > 999 else ""

    def moved_moment(self, written: str) -> str:
        """Move a date and time (DT) by whole days; its offset from UTC is left out."""
        found = _MOMENT.match(written.strip())
        day = self.moved_date(found[1]) if found else ""
        return day + found[2] if found and day else ""


def time_of_day(written: str) -> str:
    """Return a time of day (TM) as it is; empty if it is none."""
    return written.strip().replace(":", "") if _TIME.match(written.strip()) else ""


def new_uid(original: str, kind: str) -> str:
    """Make the unique identifier that stands for another one, always the same under one secret.

    It is a UUID-derived UID (PS3.5 B.2): `2.25.` and 128 bits of an HMAC-SHA-256.

    Args:
        original: the identifier, or a text that takes the place of one that is missing.
        kind: what it identifies, such as `study`; references from one object to another keep it.
    """
    bits = int(keyed_digest(f"echokit: {kind} {original.strip()}", 32), 16)
    # the key file of the owner says what it stands for
    return pseudonym(original, shown=f"2.25.{bits}")


def short_name(original: str, kind: str) -> str:
    """Make a name of twelve hexadecimal digits for a file or folder."""
    return pseudonym(original, shown=keyed_digest(f"echokit: {kind} {original.strip()}", 12))
