"""Collect the commands that a plugin adds to `echokit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from echokit.errors import PluginError

if TYPE_CHECKING:
    import typer

OWN_COMMANDS = (
    "bench",
    "data",
    "doctor",
    "export",
    "plugins",
    "predict",
    "recipes",
    "report",
    "run",
)
"""Commands that echokit has itself. A plugin cannot take one of these names."""


def collect_commands(hook: Callable[[typer.Typer], None]) -> dict[str, Any]:
    """Call a plugin's `register_commands` with a group of its own, and return what it added.

    Each plugin gets its own group, so that the owner of every command is known. typer is imported
    only here: a process in which no plugin has a command does not pay for it.

    Returns:
        Commands and sub-groups (typer's `TyperCommand` and `TyperGroup`) by name.

    Raises:
        PluginError: a name is taken twice, or the plugin sets options of the group itself.
    """
    import typer
    from typer.main import get_command_name, get_group

    group = typer.Typer(rich_markup_mode="rich")
    hook(group)
    if group.registered_callback is not None:
        raise PluginError(
            "Its register_commands sets a callback of the group, which is echokit's: make a "
            'typer.Typer of your own and add it by group.add_typer(mine, name="mine").'
        )
    names = Counter(
        info.name or get_command_name(info.callback.__name__)
        for info in group.registered_commands
        if info.callback is not None
    )
    names.update(info.name for info in group.registered_groups if isinstance(info.name, str))
    for name, times in names.items():
        if times > 1:
            raise PluginError(f"It registers the command {name!r} twice: give each its own name.")
    return dict(get_group(group).commands)
