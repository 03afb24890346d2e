"""`echokit evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import echokit
from echokit import report as reports
from echokit.cli.console import out as console
from echokit.cli.console import print_json, warn_of_changed_recipe
from echokit.cli.log_lines import progress_of
from echokit.folder import next_free
from echokit.recipe.settings import parse_setting
from echokit.studies.write import refuse_existing
from echokit.system.pseudonyms import key_file as keep_key


def evaluate(
    run: Annotated[
        Path, typer.Argument(help="Folder of a finished run, or a bundle that was exported of one.")
    ],
    data: Annotated[
        str,
        typer.Argument(help="Labelled clips: a CSV manifest, or a folder with manifest.csv."),
    ],
    task: Annotated[str | None, typer.Option(help="Task of the run; by default its first.")] = None,
    loader: Annotated[
        str | None,
        typer.Option(help="What reads DATA; by default as the run's recipe reads your files."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Option of the loader, as in --set grade=Score. Repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the result. By default below evaluations/.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="What runs the networks, as in `echokit predict`.")
    ] = "auto",
    key_file: Annotated[
        Path | None,
        typer.Option(help="New file, for your eyes only, that says whom each pseudonym is of."),
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(
            metavar="PUBLIC_KEY",
            help="Refuse a bundle that the owner of this key did not sign, or that was changed "
            "since.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print evaluation.json on standard output.")
    ] = False,
) -> None:
    """Evaluate a trained run or bundle on other patients whose labels you know.

    Prints a table and writes evaluation.json, metrics.csv, predictions.csv and a page.
    Research software, not a medical device.
    """
    target = out or next_free(Path("evaluations"), run.name)
    refuse_existing(target)
    options = {".".join(path): value for path, value in map(parse_setting, settings or ())}
    warn_of_changed_recipe(run)
    with keep_key(key_file):
        result = echokit.evaluate(
            echokit.load(run, task, engine, verify=verify),
            data,
            task,
            loader=loader,
            options=options,
            progress=progress_of(quiet or as_json),
        )
    result.save(target)
    if as_json:
        print_json(result.to_json())
    elif not quiet:
        console.print(reports.evaluation_table(result.to_json()))
        console.print(f"Page: {target / 'index.html'}", markup=False, soft_wrap=True)
