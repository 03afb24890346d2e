"""`echokit data manifest`: a draft of a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data = typer.Typer()


@data.command("manifest")
def draft_manifest(
    folder: Annotated[Path, typer.Argument(help="Folder of clips.")],
    table: Annotated[
        Path | None,
        typer.Option(help="CSV of labels; by default the only one in the folder, if any."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; by default FOLDER/manifest.csv.")
    ] = None,
) -> None:
    """Draft a manifest of your own clips: patients and views by names, labels by a table.

    Look it over before you use it. It holds names as they are in your data, and stays beside them.
    """
    from echokit_io.draft import draft, write_draft
    from echokit_io.loader import MANIFEST

    drafted, target = draft(folder, table), out or folder / MANIFEST
    write_draft(drafted, target)
    head, *rows = drafted.rows
    typer.echo(
        f"{len(rows)} clips of {len({row[0] for row in rows})} patients; "
        f"{sum(not row[1] for row in rows)} without a view; {drafted.rejected} files are no clips"
    )
    for column, header in drafted.columns.items():
        typer.echo(f"column {column}: from {header!r}")
    if labels := head[3:]:
        typer.echo(f"labels: {', '.join(labels)}")
    for spelled, view in sorted(drafted.views.items()):
        typer.echo(f"view {spelled!r}: {view}")
    if drafted.unmatched_files:
        typer.echo(f"{len(drafted.unmatched_files)} clips have no row in the table")
    if drafted.unmatched_rows:
        lines = ", ".join(map(str, drafted.unmatched_rows[:5]))
        typer.echo(f"{len(drafted.unmatched_rows)} rows have no clip, such as line {lines}")
    typer.echo(f"Manifest: {target}")
    typer.echo(f"Look it over, then: echokit data check {folder}")
