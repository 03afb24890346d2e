"""`echokit data`: look at clips before they are used. Plugins add commands that write clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from echokit.cli.groups import WithPlugins

if TYPE_CHECKING:
    from rich.table import Table

    from echokit.clips.check import CheckReport

app = typer.Typer(
    cls=WithPlugins, help="Check clips before they are used, or write some.", no_args_is_help=True
)


@app.command("check")
def check(
    path: Annotated[Path, typer.Argument(help="A file, a folder, or a CSV manifest.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every file and the summary as JSON.")
    ] = False,
    loader: Annotated[
        str | None,
        typer.Option(help="The loader that reads it; by default that of the installed recipes."),
    ] = None,
) -> None:
    """Say what a folder or manifest holds: every file, used or rejected with its reason."""
    from echokit.cli.console import Count, out, print_json
    from echokit.studies.sources import check as check_source

    report = check_source(path, loader=loader, progress=Count())
    if as_json:
        print_json(report.to_json())
        return
    out.print(_clips_table(report))
    for file in report.rejected:
        out.print(f"rejected: {file.file}: {file.reason}", style="red", markup=False)
    out.print(_words(report.summary), markup=False)


def _clips_table(report: CheckReport) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("clip", "patient", "view", "frames", "size", "fps", box=None, pad_edge=False)
    for file in report.used:
        assert file.facts is not None
        clip = file.facts
        table.add_row(
            Text(file.file, overflow="fold"),
            Text(clip.patient),
            Text(clip.view or "unknown"),
            str(clip.frames),
            f"{clip.height}×{clip.width}",
            f"{clip.fps:.4g}" if clip.fps else "",
        )
    return table


def _words(summary: Mapping[str, Any]) -> str:
    lines = [
        f"{summary['files']} files: {summary['used']} used, {summary['rejected']} rejected, "
        f"{summary['patients']} patients"
    ]
    for title in ("views", "frame_rates", "sizes"):
        if summary[title]:
            counts = ", ".join(f"{name} × {n}" for name, n in sorted(summary[title].items()))
            lines.append(f"{title.replace('_', ' ')}: {counts}")
    lines += [f"same content: {', '.join(files)}" for files in summary["duplicates"]]
    return "\n".join(lines)
