"""`echokit run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    recipe: Annotated[
        str | None, typer.Argument(help="Name of a recipe, or the path of its TOML file.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="One of the recipe's presets, such as quick or paper.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Your own clips: a CSV manifest, or a folder with manifest.csv."),
    ] = None,
    test_data: Annotated[
        str | None,
        typer.Option(
            help="Other patients, in clips as for --data, on whom every split's networks are "
            "evaluated: an external test cohort."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file laid over the recipe and its preset.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override one key, as in --set backbone.width=8. Repeatable."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set seed=N.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder. By default one below runs/.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Finish the run in this folder; takes no recipe.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON on standard output.")
    ] = False,
) -> None:
    """Train, vote, judge and explain: from a cohort to a report.

    Without --data the cohort is synthetic, which the result says wherever it is shown.
    """
    from echokit.cli.console import Bars, err, print_json
    from echokit.cli.console import out as console
    from echokit.folder import begin_run
    from echokit.system.files import read_json
    from echokit.system.progress import Silent

    folder = begin_run(recipe, data, preset, settings or (), config, out, seed, resume, test_data)

    from echokit.runs.start import finish  # torch, once the recipe is known to be good

    silent = quiet or as_json
    if not silent:
        resolved = folder.recipe()
        preset_said = f", preset {resolved.preset}" if resolved.preset else ""
        err.print(f"{resolved.title or resolved.name}{preset_said} → {folder.path}", markup=False)
    try:
        finish(folder, resumed=resume is not None, progress=Silent() if silent else Bars())
    except KeyboardInterrupt:
        err.print(f"\nStopped. Go on with: echokit run --resume {folder.path}", markup=False)
        raise typer.Exit(130) from None
    if as_json:
        print_json(
            {
                "run": str(folder.path),
                "report": str(folder.path / "report" / "index.html"),
                "metrics": read_json(folder.path / "metrics.json"),
                **_external(folder.path / "external.json"),
                "stages": folder.state["stages"],
            }
        )
    elif not quiet:
        from echokit.report import external_table, summary_table

        console.print(summary_table(folder.path))
        if (external := external_table(folder.path)) is not None:
            console.print(external)
        console.print(
            f"Report: {folder.path / 'report' / 'index.html'}", markup=False, soft_wrap=True
        )


def _external(path: Path) -> dict[str, object]:
    """Return the figures on the external test cohort, where there is one."""
    from echokit.system.files import read_json

    return {"external": read_json(path)} if path.is_file() else {}
