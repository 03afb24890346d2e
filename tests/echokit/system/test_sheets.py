"""CSV that a spreadsheet does not compute, and that reads back as it was."""

import csv
import io

import pandas as pd
import pytest

from echokit.system.checked import read_csv
from echokit.system.sheets import csv_text, quote_cell, unquote_cell

FORMULAS = ("=1+1", "+x", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=", "-", "'=1", "''@x")


@pytest.mark.parametrize("cell", FORMULAS)
def test_what_a_spreadsheet_would_compute_is_quoted_and_reads_back(cell):
    quoted = quote_cell(cell)
    assert quoted == f"'{cell}"
    assert unquote_cell(quoted) == cell


@pytest.mark.parametrize("cell", ["x", "", "O'Neill", "'x", "-1.5", "+3", "1e-3", -1.5, None, True])
def test_other_cells_stay_as_they_are(cell):
    assert quote_cell(cell) == cell
    assert not isinstance(cell, str) or unquote_cell(cell) == cell


def test_a_table_is_quoted_in_its_texts_and_headings_alone(tmp_path):
    table = pd.DataFrame({"=clip": ["=1+1", "x"], "mean": [-0.5, 2.0], "mixed": ["@y", True]})
    rows = list(csv.reader(io.StringIO(csv_text(table))))
    assert rows == [["'=clip", "mean", "mixed"], ["'=1+1", "-0.5", "'@y"], ["x", "2.0", "True"]]
    (tmp_path / "a.csv").write_text(csv_text(table))
    assert read_csv(tmp_path / "a.csv")["mixed"].tolist() == ["@y", "True"]
