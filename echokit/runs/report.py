"""Build the report: `report/index.html` and the tables beside it."""

from __future__ import annotations

from echokit.report import build_run_report, write_tables
from echokit.runs.context import Run


def step(run: Run) -> None:
    """Write the report of a run from its result files."""
    write_tables(run.folder.path)
    build_run_report(run.folder.path)
