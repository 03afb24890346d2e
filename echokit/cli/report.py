"""`echokit report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
) -> None:
    """Make a run's report again from its result files, and print its table."""
    from echokit.cli.console import out
    from echokit.folder import RunFolder
    from echokit.report import build_run_report, summary_table

    folder = RunFolder.open(run)
    page = build_run_report(folder.path)
    out.print(summary_table(folder.path))
    out.print(f"Report: {page}", soft_wrap=True)
