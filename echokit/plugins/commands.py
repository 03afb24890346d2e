"""Collect the commands that a plugin adds to `echokit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from echokit.errors import PluginError

if TYPE_CHECKING:
    import typer

OWN_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "bench": ("accuracy", "speed"),
    "data": ("check", "forget"),
    "doctor": (),
    "evaluate": (),
    "export": (),
    "plugins": ("check", "list", "new", "show"),
    "predict": (),
    "recipes": ("list", "show"),
    "report": (),
    "run": (),
}
"""Commands that echokit has itself, and the commands of those that are groups. A plugin cannot take
one of these names; it can add a command to a group, as in `echokit data mine`."""


def is_own(name: str) -> bool:
    """Whether echokit itself has the command of a name, `run` or `data check`."""
    group, _, below = name.partition(" ")
    return group in OWN_COMMANDS and (not below or below in OWN_COMMANDS[group])


def collect_commands(hook: Callable[[typer.Typer], None]) -> dict[str, Any]:
    """Call a plugin's `register_commands` with a group of its own, and return what it added.

    Each plugin gets its own group, so that the owner of every command is known. typer is imported
    only here: a process in which no plugin has a command does not pay for it.

    Returns:
        Commands and sub-groups (typer's `TyperCommand` and `TyperGroup`) by name. Of a group that
        echokit has itself, the commands in it: `data mine`.

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
    found: dict[str, Any] = {}
    for name, command in get_group(group).commands.items():
        below = getattr(command, "commands", {}) if OWN_COMMANDS.get(name) else {}
        found |= {f"{name} {word}": one for word, one in below.items()} or {name: command}
    return found
