"""`echokit data`: look at clips before they are used. Plugins add commands that write clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from echokit.cli.groups import WithPlugins
from echokit.errors import UsageError

app = typer.Typer(
    cls=WithPlugins, help="Check clips before they are used, or write some.", no_args_is_help=True
)


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
