"""Groups of commands that plugins may add to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.core import TyperGroup

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
