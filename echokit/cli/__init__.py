"""The `echokit` command. Commands are thin and import what they need when they are called."""

from __future__ import annotations

import sys
import warnings

import typer

from echokit.cli import bench, data, doctor, evaluate, export, plugins, predict, report, run
from echokit.cli.groups import WithPlugins
from echokit.errors import EchokitError

app = typer.Typer(
    name="echokit",
    cls=WithPlugins,
    help="Echocardiogram analysis from plugins. Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("predict")(predict.predict)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("report")(report.report)
app.command("recipes")(plugins.recipes)
app.add_typer(plugins.app, name="plugins")
app.add_typer(data.app, name="data")
app.add_typer(bench.app, name="bench")
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command; an error that echokit raised on purpose is one line and exit code 2."""
    from echokit.cli.console import one_line

    def show(message: Warning | str, category: type[Warning], *place: object) -> None:
        if category.__module__.startswith("echokit"):
            one_line("warning", "yellow", str(message))

    warnings.showwarning = show  # type: ignore[assignment]
    try:
        app()
    except EchokitError as error:
        one_line("error", "bold red", str(error))
        sys.exit(2)
    except OSError as error:  # no right to write, no space left
        one_line("error", "bold red", f"{error.strerror}: {error.filename}")
        sys.exit(2)
