"""`echokit data`: look at clips before they are used. Plugins add commands that write clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

import echokit
from echokit.cli import data_forget
from echokit.cli.console import Count, out, print_json
from echokit.cli.groups import WithPlugins
from echokit.clips.check import CheckReport
from echokit.recipe.settings import isolating
from echokit.report.words import plural
from echokit.system.pseudonyms import key_file as keep_key

NOTHING_USED = 3
"""Exit status where no file can be used."""

app = typer.Typer(
    cls=WithPlugins, help="Check clips before they are used, or write some.", no_args_is_help=True
)
app.command("forget")(data_forget.forget)


@app.command("check")
def check(
    path: Annotated[
        str, typer.Argument(help="A file, a folder, a CSV manifest, or LOADER:ADDRESS.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every file and the summary as JSON.")
    ] = False,
    isolate: Annotated[
        bool,
        typer.Option(
            "--isolate",
            help="Read files in another process with hard limits of memory and time.",
        ),
    ] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(help="New file, for your eyes only, that says whom each pseudonym is of."),
    ] = None,
    loader: Annotated[
        str | None,
        typer.Option(help="The loader that reads it; by default that of the installed recipes."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="A recipe that the clips are for: views, sector, labels and splits too."),
    ] = None,
    config: Annotated[
        list[Path] | None, typer.Option(help="TOML file laid over the recipe. Repeatable.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Override one key of the recipe; without --recipe an option of the loader, as in "
            "--set columns.patient=Nr. Repeatable.",
        ),
    ] = None,
) -> None:
    """Say what a folder or manifest holds: every file, used or rejected with its reason.

    The exit status is 3 where nothing can be used.
    """
    with keep_key(key_file):
        report = echokit.check(
            path,
            loader=loader,
            recipe=recipe,
            config=config or (),
            settings=[*(settings or ()), *isolating(isolate, "data" if recipe else "")],
            progress=Count(),
        )
    if as_json:
        print_json(report.to_json())
    else:
        out.print(_clips_table(report))
        for file in report.rejected:
            out.print(f"rejected: {file.file}: {file.reason}", style="red", markup=False)
        out.print(_words(report.summary), markup=False)
        for warning in report.warnings:
            out.print(f"warning: {warning}", style="yellow", markup=False, soft_wrap=True)
    if not report.used:
        raise typer.Exit(NOTHING_USED)


def _clips_table(report: CheckReport) -> Table:
    clips = [(file.file, file.facts) for file in report.used if file.facts is not None]
    studies = any(clip.study for _, clip in clips)
    head = ("clip", "patient", *["study"] * studies, "view", "frames", "size", "fps")
    table = Table(*head, box=None, pad_edge=False)
    for name, clip in clips:
        table.add_row(
            Text(name, overflow="fold"),
            Text(clip.patient),
            *[Text(clip.study)] * studies,
            Text(clip.view or "unknown"),
            str(clip.frames),
            f"{clip.height}×{clip.width}",
            f"{clip.fps:.4g}" if clip.fps else "",
        )
    return table


def _words(summary: Mapping[str, Any]) -> str:

    lines = [
        f"{plural(summary['files'], 'file')}: {summary['used']} used, "
        f"{summary['rejected']} rejected, {plural(summary['patients'], 'patient')}"
    ]
    for title in ("views", "frame_rates", "sizes"):
        if summary[title]:
            counts = ", ".join(f"{name} × {n}" for name, n in sorted(summary[title].items()))
            lines.append(f"{title.replace('_', ' ')}: {counts}")
    for task, counts in summary["labels"].items():
        lines.append(f"{task}: {', '.join(f'{name} {n}' for name, n in counts.items())} patients")
    lines += [f"same pixels: {', '.join(files)}" for files in summary["duplicates"]]
    return "\n".join(lines)
