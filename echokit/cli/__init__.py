"""The `echokit` command. Commands are thin and import what they need when they are called."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

import echokit
from echokit.cli import (
    bench,
    data,
    doctor,
    evaluate,
    export,
    plugins,
    predict,
    recipes,
    report,
    run,
)
from echokit.cli.groups import WithPlugins
from echokit.errors import DataError, EchokitError, TrainingError
from echokit.system.files import system_sentence

app = typer.Typer(
    name="echokit",
    cls=WithPlugins,
    help="Echocardiogram analysis from plugins. Research software, not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"echokit {echokit.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_version,
            help="Print the version of echokit.",
        ),
    ] = False,
) -> None:
    del version


app.command("run")(run.run)
app.command("predict")(predict.predict)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("report")(report.report)
app.add_typer(recipes.app, name="recipes")
app.add_typer(plugins.app, name="plugins")
app.add_typer(data.app, name="data")
app.add_typer(bench.app, name="bench")
app.command("doctor")(doctor.doctor)


USAGE, NO_DATA, FAILED = 2, 3, 4
"""Exit codes: a command that cannot be carried out as typed; no usable data; failed networks."""


def exit_code(error: EchokitError) -> int:
    """Return the exit code of an error; 130 is that of a command that was stopped."""
    if isinstance(error, TrainingError):
        return FAILED
    return NO_DATA if isinstance(error, DataError) else USAGE


def main() -> None:
    """Run the command; an error that echokit raised on purpose is one line and an exit code.

    SIGTERM and SIGHUP end it as Ctrl-C does, with exit codes 143 and 129.
    """
    from echokit.cli.console import one_line
    from echokit.cli.stopping import Stopped, end_on_signals

    def show(message: Warning | str, category: type[Warning], *place: object) -> None:
        if category.__module__.startswith("echokit"):
            one_line("warning", "yellow", str(message))

    warnings.showwarning = show  # type: ignore[assignment]
    try:
        with end_on_signals():
            app()
    except Stopped as stop:
        sys.exit(stop.status)
    except EchokitError as error:
        one_line("error", "bold red", str(error))
        sys.exit(exit_code(error))
    except OSError as error:  # no right to write, no space left
        one_line("error", "bold red", system_sentence(error))
        sys.exit(2)
