"""The `echokit` command. Commands are thin and import what they need when they are called."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from echokit.cli import bench, data, doctor, export, plugins, predict, report, run
from echokit.errors import EchokitError


class WithPlugins(TyperGroup):
    """The group `echokit`: its own commands, and those of plugins when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of echokit's own commands, then those of plugins."""
        from echokit.plugins.registry import registry

        return [*super().list_commands(ctx), *registry().unambiguous("command")]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return echokit's own command of that name, else a plugin's, else None.

        Plugins are loaded only for a name that echokit does not have.

        Raises:
            PluginError: several plugins have a command of that name.
        """
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        from echokit.plugins.registry import registry

        bare = cmd_name.rpartition("/")[2]
        if not any(component.name == bare for component in registry().of_kind("command")):
            return None
        return registry().find("command", cmd_name).factory


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
