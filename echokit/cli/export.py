"""`echokit export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import echokit
from echokit.cli.console import out as console
from echokit.cli.log_lines import progress_of


def _make_key(path: Path | None) -> None:
    if path is not None:
        public = echokit.make_signing_key(path)
        console.print(f"{path}: sign with it, and show it to nobody.", markup=False, soft_wrap=True)
        console.print(f"{public}: for those who verify.", markup=False, soft_wrap=True)
        raise typer.Exit


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    to: Annotated[str, typer.Option(help="onnx, openvino, or torch-export.")] = "onnx",
    task: Annotated[str | None, typer.Option(help="Task of the run; by default its first.")] = None,
    out: Annotated[Path, typer.Option(help="Folder that the bundle is put in.")] = Path("bundles"),
    sign: Annotated[
        Path | None,
        typer.Option(
            metavar="KEY",
            help="Private key, a PEM file of --new-key, that the bundle is signed with.",
        ),
    ] = None,
    new_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            is_eager=True,
            callback=_make_key,
            help="Only make a pair of keys: FILE to sign with, FILE.pub for those who verify.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Write a run's networks as a bundle, which `echokit predict` takes in the run's place.

    A bundle holds the networks, the recipe and a model card, and no data of patients.
    One in onnx or openvino predicts without torch.
    """
    del new_key
    made = echokit.export_run(run, to, out, task, sign=sign, progress=progress_of(quiet))
    console.print(str(made), markup=False, soft_wrap=True)
