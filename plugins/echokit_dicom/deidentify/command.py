"""`echokit data deidentify`: copies of clips in which nobody is named."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data = typer.Typer()
NOTHING_CLEANED = 3
"""Exit status where no file could be cleaned."""


@data.command("deidentify")
def deidentify_files(
    source: Annotated[Path, typer.Argument(help="Folder of clips, one clip, or a manifest.")],
    out: Annotated[Path, typer.Argument(help="Folder of the copies; must be new or empty.")],
    key_file: Annotated[
        Path | None,
        typer.Option(help="New file, for your eyes only: what each pseudonym stands for."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Limit of reading, as in --set limits.memory=2000. Repeatable."),
    ] = None,
) -> None:
    """Copy clips without names: PS3.15 basic profile, clean pixels, modified dates.

    Keeps only the pixels of the sector, and only attributes that name nobody. What cannot be
    cleaned is left out and listed. Look at the contact sheets before you give the copies away.
    The exit status is 3 where nothing could be cleaned.
    """
    from rich.console import Console

    from echokit import UsageError
    from echokit import key_file as keep_key
    from echokit_dicom.deidentify.folder import CLIPS, SHEETS, deidentify
    from echokit_dicom.deidentify.listing import CLEANED

    if key_file is not None and key_file.resolve().is_relative_to(out.resolve()):
        raise UsageError(
            f"--key-file {key_file} is inside {out}, which is to be given away: keep it elsewhere."
        )
    done = 0
    with keep_key(key_file), Console(stderr=True).status("Cleaning ...") as status:

        def tick(more: int) -> None:
            nonlocal done
            done += more
            status.update(f"Cleaning: {done} files")

        outcomes = deidentify(source, out, options=_options(settings or ()), tick=tick)
    for outcome in outcomes:
        if outcome.status != CLEANED:
            typer.echo(f"left out: {outcome.file}: {outcome.reason}")
    cleaned = [outcome for outcome in outcomes if outcome.status == CLEANED]
    patients = {outcome.patient for outcome in cleaned}
    typer.echo(f"{len(outcomes)} files: {len(cleaned)} cleaned, of {len(patients)} patients")
    typer.echo(f"Listing: {out / 'listing.csv'}")
    if not cleaned:
        raise typer.Exit(NOTHING_CLEANED)
    typer.echo(f"Copies: {out / CLIPS}")
    typer.echo(f"Look at every page before you give them away: {out / SHEETS}")


def _options(settings: list[str] | tuple[()]) -> dict[str, object]:
    """Read the limits of reading.

    Raises:
        UsageError: a setting is none of them.
    """
    from echokit import UsageError

    limits = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        group, _, limit = name.removeprefix("study.").partition(".")
        try:
            limits[limit] = float(value)
        except ValueError:
            group = ""
        if group != "limits" or not limit:
            raise UsageError(
                f"--set {setting}: only limits of reading can be set, as in "
                "--set limits.memory=2000."
            )
    return {"limits": limits} if limits else {}
