"""`echokit report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TABLES = ("1", "3", "confidence")
FORMATS = ("terminal", "csv", "latex", "html")


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    table: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(TABLES)} or all. By default 1 and 3; as CSV, LaTeX or HTML 3."
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help=f"{', '.join(FORMATS)}; all but the first print alone.")
    ] = "terminal",
    out: Annotated[
        Path | None, typer.Option(help="File for a table as CSV, LaTeX or HTML.")
    ] = None,
) -> None:
    """Make a run's report again from its result files, and print the paper's tables.

    Where the recipe has a publication's figures, they stand beside the run's own. The page and
    report/tables/ are written anew, unless a table is asked for as CSV, LaTeX or HTML.
    """
    from echokit.folder import RunFolder

    names = _tables(table, form, out)
    path = RunFolder.open(run).path
    if form == "terminal":
        _report(path, names)
    else:
        _table(path, names, form, out)


def _tables(table: str | None, form: str, out: Path | None) -> tuple[str, ...]:
    """The tables that are asked for; refuses what cannot be carried out."""
    from echokit.errors import UsageError, nearest

    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}: {nearest(form, FORMATS)}")
    if table is not None and table not in (*TABLES, "all"):
        raise UsageError(f"there is no table {table!r}: {nearest(table, (*TABLES, 'all'))}")
    if form == "terminal" and out is not None:
        raise UsageError(
            f"--out {out} needs a format for the file: --format csv, --format latex or "
            "--format html."
        )
    if out is not None and out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it.")
    if form == "csv" and table == "all":
        raise UsageError(
            "--format csv prints one table, and --table all are three: --table 1, --table 3 or "
            "--table confidence."
        )
    if table is None:
        return ("1", "3") if form == "terminal" else ("3",)
    return TABLES if table == "all" else (table,)


def _report(path: Path, names: tuple[str, ...]) -> None:
    from echokit.cli.console import out
    from echokit.report import (
        build_run_report,
        paper_table,
        print_table,
        read_results,
        run_findings,
        write_tables,
    )

    results = read_results(path)
    tables = [paper_table(results, name) for name in names]
    page = build_run_report(path)
    files = write_tables(path)
    for table in tables:
        print_table(out, table)
        out.print()
    if found := run_findings(results):
        out.print("What the paper found, and this run:", style="bold")
        for finding in found:
            out.print(f"{finding.sentence}: [bold]{finding.verdict}[/bold]", soft_wrap=True)
            out.print(f"  {finding.detail}", style="dim", markup=False, soft_wrap=True)
        out.print()
    out.print(f"Tables: {files[0].parent}", markup=False, soft_wrap=True)
    out.print(f"Report: {page}", markup=False, soft_wrap=True)


def _table(path: Path, names: tuple[str, ...], form: str, out: Path | None) -> None:
    from echokit.report import FORMATS as WRITERS
    from echokit.report import paper_table, read_results
    from echokit.system.files import write_text

    _, write = WRITERS[form]
    results = read_results(path)
    text = "\n".join(write(paper_table(results, name)) for name in names)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)
