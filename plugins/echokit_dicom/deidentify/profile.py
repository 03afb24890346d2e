"""What PS3.15 says of each attribute: its Table E.1-1, and the script that made `profile.json`.

    python -m echokit_dicom.deidentify.profile TABLE.json > profile.json

The argument is Table E.1-1 of DICOM PS3.15 2024b as JSON, as innolitics/dicom-standard (MIT)
publishes it in standard/confidentiality_profile_attributes.json. The table that
KitwareMedical/dicom-anonymizer (BSD) took from the same edition says the same in all of its rows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

EDITION = "DICOM PS3.15 2024b, Table E.1-1"
PRIVATE = "private"
"""What is said of a private attribute."""
UNLISTED = "not listed"
"""What is said of an attribute that the table does not list and that echokit does not keep."""


@cache
def actions() -> Mapping[str, str]:
    """Return tag, as eight lower-case digits, -> what the basic profile does with the attribute.

    `X` removes it, `Z` empties it or puts a dummy there, `D` puts a dummy there, `U` puts another
    unique identifier there; `C` cleans it, by the option Retain Longitudinal Temporal Information
    With Modified Dates. Several are given where it depends on the type of the attribute. An `x`
    stands for any digit.
    """
    written = files("echokit_dicom.deidentify").joinpath("profile.json").read_text("ascii")
    table: Mapping[str, str] = json.loads(written)["actions"]
    return table


def action(tag: int) -> str:
    """Return what the table says of an attribute, `private`, or `not listed`."""
    if tag >> 16 & 1:
        return PRIVATE
    digits, table = f"{tag:08x}", actions()
    repeated = (f"{digits[:2]}xxxxxx", f"{digits[:2]}xx{digits[4:]}")
    return next((table[key] for key in (digits, *repeated) if key in table), UNLISTED)


def convert(rows: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Convert the rows of the published table to tag -> action."""
    return {
        row["id"].lower(): "C" if row.get("rtnLongModifDatesOpt") else row["basicProfile"]
        for row in rows
        if "where" not in row["id"]  # private attributes
    }


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - a script's argument
        made = {"source": EDITION, "actions": convert(json.load(file))}
    sys.stdout.write(json.dumps(made, indent=0, sort_keys=True) + "\n")
