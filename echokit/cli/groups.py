"""Groups of commands that plugins may add to, and whose modules are imported when called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

ROOT = "echokit"


class WithPlugins(TyperGroup):
    """A group of echokit: its own commands, and those of plugins when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of echokit's own commands, then those of plugins."""
        return [*super().list_commands(ctx), *self._added()]

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

        owner, slash, bare = cmd_name.rpartition("/")
        name = self._prefix + bare
        if not any(component.name == name for component in registry().of_kind("command")):
            return None
        return registry().find("command", f"{owner}{slash}{name}").factory

    @property
    def _prefix(self) -> str:
        """What the names of this group's commands begin with in the registry."""
        return "" if self.name == ROOT else f"{self.name} "

    def _added(self) -> Iterator[str]:
        """The names of the commands that plugins add to this group, as they are typed here."""
        from echokit.plugins.registry import registry

        for name in registry().unambiguous("command"):
            owner, slash, bare = name.rpartition("/")
            word = bare.removeprefix(self._prefix)
            if bare.startswith(self._prefix) and " " not in word:
                yield f"{owner}{slash}{word}"


class WithModules(WithPlugins):
    """A group whose own commands stand in modules that are imported when a command is called.

    A module `echokit/cli/run.py` holds the function `run`, or the group `app`. The help of this
    group needs their names and one line of each, so that it imports none.
    """

    modules: ClassVar[Mapping[str, str]]
    """What each of them does, in the words that its own help begins with, by name."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of echokit's own commands, then those of plugins."""
        return [*self.modules, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; while the help of this group is made, its name and line alone."""
        line = self.modules.get(cmd_name)
        if line is None:
            return super().get_command(ctx, cmd_name)
        return TyperCommand(cmd_name, help=line) if self._in_help else load_command(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of this group."""
        self._in_help = True
        super().format_help(ctx, formatter)

    _in_help = False


def load_command(name: str) -> Any:
    """Import one of echokit's own commands or groups."""
    module = import_module(f"echokit.cli.{name}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(rich_markup_mode="rich", add_completion=False)
        app.command(name)(getattr(module, name))
    command = get_command(app)
    command.name = name
    return command
