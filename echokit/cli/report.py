"""`echokit report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from echokit import report as reports
from echokit.cli.console import out as console
from echokit.cli.console import warn_of_changed_recipe
from echokit.errors import DamagedError, UsageError, nearest
from echokit.folder import RunFolder
from echokit.networks.epochs import read_epochs
from echokit.system.files import write_text

if TYPE_CHECKING:
    from echokit.report.paper.tables import PaperTable
    from echokit.report.results import Results

FORMATS = ("terminal", "csv", "latex", "html")


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    table: Annotated[
        str | None,
        typer.Option(
            help="A table that the run's recipe names, confidence, or all. By default those of "
            "the recipe; as CSV, LaTeX or HTML its last one."
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help=f"{', '.join(FORMATS)}; all but the first print alone.")
    ] = "terminal",
    out: Annotated[
        Path | None, typer.Option(help="File for a table as CSV, LaTeX or HTML.")
    ] = None,
) -> None:
    """Make a run's report again from its result files, and print its tables.

    Where the recipe has a publication's figures, they stand beside the run's own. The page and
    report/tables/ are written anew, unless a table is asked for as CSV, LaTeX or HTML.
    """
    _check(table, form, out)
    folder = RunFolder.open(run)
    path = folder.path
    if folder.digests.problem("recipe.toml"):  # corrected by hand, or damaged
        folder.recipe()
        warn_of_changed_recipe(path)
    if form == "terminal":
        _report(path, table)
    else:
        _table(path, table, form, out)


def _check(table: str | None, form: str, out: Path | None) -> None:
    """Refuse what cannot be carried out, whatever the run."""
    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}: {nearest(form, FORMATS)}")
    if form == "terminal" and out is not None:
        raise UsageError(
            f"--out {out} needs a format for the file: --format csv, --format latex or "
            "--format html."
        )
    if out is not None and out.is_dir():
        raise UsageError(f"--out {out} is a folder; name a file in it.")
    if form == "csv" and table == "all":
        raise UsageError(
            "--format csv prints one table, and --table all are several: name one, as in "
            "--table confidence."
        )


def _asked(results: Results, table: str | None, form: str) -> list[PaperTable]:
    """The tables that are asked for.

    Raises:
        UsageError: the run has no such table, or no figures.
    """
    reports.require_figures(results)
    tables = reports.run_tables(results)
    if table is not None and table not in (*tables, "all"):
        raise UsageError(f"there is no table {table!r}: {nearest(table, (*tables, 'all'))}")
    described = [name for name in tables if name != "confidence"]
    names = [table] if table else described if form == "terminal" else described[-1:]
    if table == "all":
        names = [*tables]
    made = [reports.paper_table(results, tables[name]) for name in names]
    shown = [one for one in made if one.lines]
    if not shown:
        raise UsageError(
            f"The run has no row of table {names[0]!r}. Take --table all for those that it has."
        )
    return shown


def _report(path: Path, table: str | None) -> None:
    results = reports.read_results(path)
    if not results.rows and (rows := training_lines(path / "models")):
        for line in rows:
            console.print(line, markup=False, soft_wrap=True)
    tables = _asked(results, table, "terminal")
    page = reports.build_run_report(path)
    files = reports.write_tables(path)
    for one in tables:
        reports.print_table(console, one)
        console.print()
    if (external := reports.external_table(path)) is not None:
        console.print(external)
    if found := reports.run_findings(results):
        console.print("What the paper found, and this run:", style="bold")
        for finding in found:
            console.print(
                f"{escape(finding.sentence)}: [bold]{finding.verdict}[/bold]", soft_wrap=True
            )
            console.print(f"  {finding.detail}", style="dim", markup=False, soft_wrap=True)
        console.print()
    console.print(f"Tables: {files[0].parent}", markup=False, soft_wrap=True)
    console.print(f"Report: {page}", markup=False, soft_wrap=True)
    _refuse_damaged(results)


def _refuse_damaged(results: Results) -> None:
    """End with an error if a file of the run is damaged, once the rest is shown.

    Raises:
        DamagedError: one is; the message names each.
    """
    if broken := [gap for gap in results.gaps if gap.damaged]:
        named = "; ".join(f"{results.root / gap.file} {gap.reason}" for gap in broken)
        raise DamagedError(
            f"The report leaves out what is damaged: {named}. Type `echokit run --resume "
            f"{results.root}` to make it again."
        )


def training_lines(models: Path) -> list[str]:
    """Say how far the networks of an unfinished run are trained: their last epochs."""
    return [
        f"{name}: epoch {rows[-1]['epoch']}, loss {rows[-1]['loss']:.3f} (first "
        f"{rows[0]['loss']:.3f}), accuracy {rows[-1]['accuracy']:.2f}"
        for name, rows in read_epochs(models).items()
        if rows
    ]


def _table(path: Path, table: str | None, form: str, out: Path | None) -> None:

    _, write = reports.FORMATS[form]
    results = reports.read_results(path)
    text = "\n".join(write(one) for one in _asked(results, table, form))
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)
    _refuse_damaged(results)
