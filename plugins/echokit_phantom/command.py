"""`echokit data phantom`: the synthetic cohort as ordinary files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from echokit import SupportsWrite

data = typer.Typer()


class Format(StrEnum):
    """File formats that the synthetic cohort is written in."""

    dicom = "dicom"
    mp4 = "mp4"


@data.command("phantom")
def write_files(
    out: Annotated[Path, typer.Option(help="Folder to write into; must be new or empty.")],
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")] = 12,
    format: Annotated[Format, typer.Option(help="dicom or mp4.")] = Format.dicom,
    seed: Annotated[int, typer.Option(help="Seed of the cohort.")] = 0,
    size: Annotated[int, typer.Option(min=32, help="Side of the sector image in pixels.")] = 224,
    frames: Annotated[int, typer.Option(min=2, help="Mean number of frames of a clip.")] = 122,
    machine: Annotated[
        str, typer.Option(help="Ultrasound machine: reference, random, or a named one.")
    ] = "reference",
) -> None:
    """Write a synthetic cohort as ordinary files, with its manifest and ground-truth masks."""
    from rich.console import Console

    from echokit_phantom import phantom

    cohort = phantom(patients=patients, seed=seed, size=size, frames=frames, machine=machine)
    loader = cast("SupportsWrite", cohort)  # which the cohort is besides a loader
    with Console(stderr=True).status("Writing synthetic clips ...", spinner="dots"):
        manifest = loader.write(out, format.value)
    typer.echo(f"Manifest: {manifest}")
    typer.echo(f"Run on it: echokit run ph-newborn --data {out}")
