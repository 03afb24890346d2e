"""`echokit plugins check`."""

from __future__ import annotations

from typing import Annotated

import typer

from echokit.cli.console import print_json
from echokit.cli.plugins_verdict import Result, as_row, show
from echokit.errors import EchokitError


def check(
    name: Annotated[
        str, typer.Argument(help="A component, owner/name, or a distribution with all its own.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option to make it with, as in --set width=4. Repeatable."),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(help="Of a transform: prepare, augment or normalise, if it does not say."),
    ] = None,
    per_frame: Annotated[
        bool, typer.Option("--per-frame", help="A transform's frames differ on purpose (noise).")
    ] = False,
    skips_frames: Annotated[
        bool, typer.Option("--skips-frames", help="A backbone leaves out frames on purpose.")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option(
            help="Of a loader: a small source that holds a clip. Of a writer: the file that clips "
            "are said to come from."
        ),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(help="Of a loader: files that are no clips, as in '*_mask.npz'. Repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Try the contract of an installed plugin on it, rule by rule; no test code is needed."""
    # the contracts make tiny clips by NumPy, which `echokit --help` does not need
    from echokit.cli.plugins_tried import Asked, check_stage, find, read_options, tried

    options = read_options(settings or ())
    check_stage(stage)
    asked = Asked(options, stage, per_frame, skips_frames, source, tuple(beside or ()))
    found, results = find(name), []
    for component in found:
        try:
            result = tried(component, asked)
        except EchokitError as error:
            if len(found) == 1:
                raise
            result = Result(component, not_tried=str(error))
        results.append(result)
        if not as_json:
            show(result)
    if as_json:
        print_json([as_row(result) for result in results])
    if not all(result.passed for result in results):
        raise typer.Exit(1)
