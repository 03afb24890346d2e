"""`echokit run`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from echokit import report as reports
from echokit.cli.console import err, print_json
from echokit.cli.console import out as console
from echokit.cli.log_lines import progress_of
from echokit.cli.stopping import Stopped, status_of
from echokit.components.begin import begin_run
from echokit.components.outlook import FRAMES, look_ahead
from echokit.errors import UsageError
from echokit.recipe import Recipe
from echokit.recipe.resolve import resolve_recipe
from echokit.recipe.settings import isolating
from echokit.report.words import plural
from echokit.system.checked import read_json
from echokit.system.files import system_sentence
from echokit.system.pseudonyms import key_file as keep_key


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
        list[Path] | None,
        typer.Option(help="TOML file laid over the recipe and its preset. Repeatable."),
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
    isolate: Annotated[
        bool,
        typer.Option(
            "--isolate",
            help="Read the files of --data and --test-data in another process with hard limits "
            "of memory and time.",
        ),
    ] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(help="New file, for your eyes only, that says whom each pseudonym is of."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what the run would do, from the index of its clips."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON on standard output.")
    ] = False,
) -> None:
    """Train, vote, judge and explain: from a cohort to a report.

    Without --data the cohort is synthetic, which the result says wherever it is shown.
    """
    slots = ["data", *(["test"] if test_data else [])]
    given = (preset, [*(settings or ()), *isolating(isolate, *slots)], config)
    if dry_run:
        _say_ahead(resolve_recipe(recipe, data, *given, seed, test_data), out, as_json)
        return
    folder = begin_run(recipe, data, *given, out, seed, resume, test_data, check=look_ahead)

    from echokit.runs.start import finish  # torch, once the recipe is known to be good

    silent = quiet or as_json
    if not silent:
        resolved = folder.recipe()
        preset_said = f", preset {resolved.preset}" if resolved.preset else ""
        err.print(f"{resolved.title or resolved.name}{preset_said} → {folder.path}", markup=False)
    try:
        with keep_key(key_file):
            finish(folder, resumed=resume is not None, progress=progress_of(silent))
    except (KeyboardInterrupt, Stopped) as stop:
        err.print(f"\nStopped. Go on with: echokit run --resume {folder.path}", markup=False)
        raise typer.Exit(status_of(stop)) from None
    except OSError as error:
        raise UsageError(
            f"{system_sentence(error).partition(', and type the command again')[0].rstrip('.')}. "
            f"Then go on with: echokit run --resume {folder.path}"
        ) from error
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
        from echokit.report.terminal import left_out

        console.print(reports.summary_table(folder.path))
        for line in left_out(folder.path):
            console.print(line, markup=False, soft_wrap=True)
        if (external := reports.external_table(folder.path)) is not None:
            console.print(external)
        console.print(
            f"Report: {folder.path / 'report' / 'index.html'}", markup=False, soft_wrap=True
        )


def _say_ahead(recipe: Recipe, out: Path | None, as_json: bool) -> None:
    """Print what a run would do, or refuse what it would refuse.

    Raises:
        EchokitError: the run cannot be carried out.
    """
    found = look_ahead(recipe, beside=Path("runs") if out is None else out.parent)
    if found is None:
        raise UsageError(
            "--dry-run cannot tell: a network is to find the views (views.classifier)."
        )
    from echokit.components.trial import try_components  # torch, once the cohort is known to do

    try_components(recipe)
    if as_json:
        print_json(found.to_json())
        return
    cohort = found.cohort
    views = Counter(ref.view for ref in cohort.clips)
    minutes = "not known: no run beside it has trained these networks"
    if found.minutes is not None:
        minutes = f"about {found.minutes:.0f} minutes, by the runs beside it"
    lines = [
        f"Cohort: {plural(len(cohort.clips), 'clip')} of {plural(len(cohort.patients), 'patient')} "
        f"({', '.join(f'{view} {n}' for view, n in sorted(views.items(), key=str))}); "
        f"{plural(len(cohort.rejected), 'file')} left out",
        *(f"  left out: {n} × {why}" for why, n in found.reasons.items()),
        *(
            f"Task {task}: {', '.join(f'{name} {n}' for name, n in counts.items())} patients; "
            f"{plural(len(found.splits[task]), 'split')} of {found.splits[task][0][0]} training "
            f"and {found.splits[task][0][1]} held-out patients"
            for task, counts in found.labels.items()
        ),
        f"Networks: {found.networks}, and {found.inner_networks} inner ones of cross-fitting; "
        f"{found.sequences} training sequences",
        f"Training: {minutes}",
        f"Disk: about {found.megabytes:.0f} MB of prepared clips, at {FRAMES} frames a clip",
    ]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _external(path: Path) -> dict[str, object]:
    """Return the figures on the external test cohort, where there is one."""
    return {"external": read_json(path)} if path.is_file() else {}
