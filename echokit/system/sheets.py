"""Write tables as CSV so that a spreadsheet takes no cell for a formula."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")


def quote_cell(cell: object) -> object:
    """Return a cell with an apostrophe before what a spreadsheet would compute.

    Texts that begin with `=`, `+`, `-`, `@`, a tab or a carriage return are quoted, unless they are
    numbers. `unquote_cell` takes the apostrophe away.
    """
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def unquote_cell(cell: str) -> str:
    """Return a cell as it was before `quote_cell`."""
    return cell[1:] if _QUOTED.match(cell) else cell


def csv_text(table: pd.DataFrame) -> str:
    """Format a table as CSV, with texts quoted that a spreadsheet would compute."""
    from pandas.api.types import is_numeric_dtype

    quoted = table.rename(columns=quote_cell)
    for place, kind in enumerate(quoted.dtypes):
        if not is_numeric_dtype(kind):
            quoted.isetitem(place, quoted.iloc[:, place].map(quote_cell).to_list())
    return str(quoted.to_csv(index=False, lineterminator="\n"))
