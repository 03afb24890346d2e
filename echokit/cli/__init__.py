"""The `echokit` command. Each command stands in a module of its own, imported when it is called."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Annotated, ClassVar

import typer

import echokit
from echokit.cli.console import one_line
from echokit.cli.groups import WithModules
from echokit.cli.stopping import Stopped, end_on_signals
from echokit.errors import DataError, EchokitError, TrainingError
from echokit.system.files import system_sentence


class Commands(WithModules):
    """The commands of echokit, in the order of its help."""

    modules: ClassVar[Mapping[str, str]] = {
        "run": "Train, vote, judge and explain: from a cohort to a report.",
        "predict": "Predict your own study with a trained run.",
        "evaluate": "Evaluate a trained run or bundle on other patients whose labels you know.",
        "export": "Write a run's networks as a bundle, which `echokit predict` takes in the run's "
        "place.",
        "report": "Make a run's report again from its result files, and print its tables.",
        "doctor": "Print versions, device and plugin problems; or check a run whole.",
        "recipes": "List the recipes that `echokit run` knows, or show one.",
        "plugins": "List, show, check and write plugins.",
        "data": "Check clips before they are used, or write some.",
        "bench": "Measure accuracy and speed, repeatably.",
    }


app = typer.Typer(
    name="echokit",
    cls=Commands,
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
