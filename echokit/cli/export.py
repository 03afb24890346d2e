"""`echokit export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import echokit
from echokit.cli.console import out as console
from echokit.cli.log_lines import progress_of


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    to: Annotated[str, typer.Option(help="onnx, openvino, or torch-export.")] = "onnx",
    task: Annotated[str | None, typer.Option(help="Task of the run; by default its first.")] = None,
    out: Annotated[Path, typer.Option(help="Folder that the bundle is put in.")] = Path("bundles"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Write a run's networks as a bundle, which `echokit predict` takes in the run's place.

    A bundle holds the networks, the recipe and a model card, and no data of patients.
    One in onnx or openvino predicts without torch.
    """
    made = echokit.export_run(run, to, out, task, progress=progress_of(quiet))
    console.print(str(made), markup=False, soft_wrap=True)
