"""`echokit data forget`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from echokit import report as reports
from echokit.cli.console import out
from echokit.errors import UsageError


def forget(
    path: Annotated[
        Path,
        typer.Argument(help="Folder of a run, a result of predict, or a store of prepared clips."),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove the patients' pixels of a run, a result or a store; figures stay.

    Of a run and a result: saliency maps, clips and pictures, and the page is made again without
    them. Of a store: all prepared clips; a run that needs them prepares them again.
    """
    what = _pixels(path)
    if not what:
        raise UsageError(
            f"{path} holds no pixels: give the folder of a run (run.json), a result of predict "
            "(prediction.json), or a store of prepared clips (store.zarr)."
        )
    if not yes and not typer.confirm(f"Remove {', '.join(map(str, what))}?", default=False):
        raise typer.Exit(1)
    for folder in what:
        shutil.rmtree(folder)
        out.print(f"Removed: {folder}", markup=False, soft_wrap=True)
    if page := _page_again(path):
        out.print(f"Page, without pictures: {page}", markup=False, soft_wrap=True)
    if (store := path.parent / "store.zarr").is_dir() and (path / "run.json").is_file():
        told = f"Prepared clips of all runs beside it: echokit data forget {store}"
        out.print(told, markup=False, soft_wrap=True)


def _pixels(path: Path) -> list[Path]:
    """Return the folders of pixels in a run, a result or a store."""
    if (path / "run.json").is_file() or (path / "prediction.json").is_file():
        return [folder for name in ("saliency", "report") if (folder := path / name).is_dir()]
    clips = list(path.glob("*/zarr.json")) if path.is_dir() else []
    return [path] if clips else []


def _page_again(path: Path) -> Path | None:

    if (path / "prediction.json").is_file():
        return reports.build_study_page(path)
    if (path / "metrics.json").is_file():
        return reports.build_run_report(path)
    return None
