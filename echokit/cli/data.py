"""`echokit data`: look at clips before they are used, and make synthetic ones."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from echokit.errors import UsageError

app = typer.Typer(help="Check your own clips, or write synthetic ones.", no_args_is_help=True)


class Format(StrEnum):
    """File formats that the synthetic cohort is written in."""

    dicom = "dicom"
    mp4 = "mp4"


@app.command("check")
def check(
    path: Annotated[Path, typer.Argument(help="A file, a folder, or a CSV manifest.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every file and the summary as JSON.")
    ] = False,
    loader: Annotated[str, typer.Option(help="The loader that reads it.")] = "files",
) -> None:
    """Say what a folder or manifest holds: every file, used or rejected with its reason."""
    from echokit.cli.console import err, out, print_json
    from echokit.clips.check import check as look
    from echokit.clips.check import summarise
    from echokit.plugins.registry import resolve

    if not path.exists():
        raise UsageError(f"There is nothing at {path}.")
    rows = []
    with err.status("Reading ...", spinner="dots") as status:
        for row in look(resolve("loader", loader, source=str(path))):
            rows.append(row)
            status.update(f"Read {len(rows)} files")
    summary = summarise(rows)
    if as_json:
        print_json({"schema": 1, "source": str(path), "summary": summary, "files": rows})
        return
    out.print(_clips_table([row for row in rows if row["status"] == "used"]))
    for row in rows:
        if row["status"] == "rejected":
            out.print(f"rejected: {row['file']}: {row['reason']}", style="red", markup=False)
    out.print(_words(summary), markup=False)


def _clips_table(rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table("clip", "patient", "view", "frames", "size", "fps", box=None, pad_edge=False)
    for row in rows:
        table.add_row(
            Text(row["file"], overflow="fold"),
            Text(row["patient"]),
            Text(row["view"] or "unknown"),
            str(row["frames"]),
            f"{row['height']}×{row['width']}",
            f"{row['fps']:.4g}" if row["fps"] else "",
        )
    return table


def _words(summary: dict[str, Any]) -> str:
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


@app.command("phantom")
def phantom(
    out: Annotated[Path, typer.Option(help="Folder to write into; must be new or empty.")],
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")] = 12,
    format: Annotated[Format, typer.Option(help="dicom or mp4.")] = Format.dicom,
    seed: Annotated[int, typer.Option(help="Seed of the cohort.")] = 0,
    size: Annotated[int, typer.Option(min=32, help="Side of the sector image in pixels.")] = 224,
    frames: Annotated[int, typer.Option(min=2, help="Mean number of frames of a clip.")] = 122,
) -> None:
    """Write a synthetic cohort as ordinary files, with its manifest and ground-truth masks."""
    from echokit.cli.console import err
    from echokit.cli.console import out as console
    from echokit.interfaces import SupportsWrite
    from echokit.plugins.registry import resolve

    loader = resolve("loader", "phantom", patients=patients, seed=seed, size=size, frames=frames)
    if not isinstance(loader, SupportsWrite):
        raise UsageError("The installed loader 'phantom' cannot write files.")
    with err.status("Writing synthetic clips ...", spinner="dots"):
        manifest = loader.write(out, format.value)
    console.print(f"Manifest: {manifest}", soft_wrap=True)
    console.print(f"Run on it: echokit run ph-newborn --data {out}", soft_wrap=True)
