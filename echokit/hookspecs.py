"""Everything that a plugin can add, on one screen.

A plugin is an importable module named by an entry point in the group `echokit`:

    from echokit import hookimpl

    @hookimpl
    def register_backbones(register):
        register("tiny3d", tiny3d)

It may also say `echokit_interface = 1`, the `INTERFACE` it was written for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from echokit.interfaces import Factory

if TYPE_CHECKING:
    import typer

hookspec = pluggy.HookspecMarker("echokit")
hookimpl = pluggy.HookimplMarker("echokit")

INTERFACE = 1
"""Version of the hooks below and of `echokit.interfaces`. Within one version they are only added
to; a change that breaks a plugin raises it (docs/plugins/compatibility.md)."""

Register = Callable[[str, Factory], None]


@hookspec
def register_loaders(register: Register) -> None:
    """Add loaders: `register(name, factory)`, factory `(source: str, **options) -> Loader`."""


@hookspec
def register_transforms(register: Register) -> None:
    """Add transforms: `register(name, factory)`, factory `(**options) -> Transform`."""


@hookspec
def register_backbones(register: Register) -> None:
    """Add backbones: factory `(num_classes: int, in_channels: int, **options) -> nn.Module`."""


@hookspec
def register_aggregators(register: Register) -> None:
    """Add aggregators: `register(name, factory)`, factory `(**options) -> Aggregator`."""


@hookspec
def register_explainers(register: Register) -> None:
    """Add explainers: `register(name, factory)`, factory `(**options) -> Explainer`."""


@hookspec
def register_recipes(register: Callable[[str, Path], None]) -> None:
    """Add recipes: `register(name, path)`, the path of a recipe's TOML file."""


@hookspec
def register_writers(register: Register) -> None:
    """Add writers: `register(name, factory)`, factory `(**options) -> Writer`."""


@hookspec
def register_executors(register: Register) -> None:
    """Add executors: `register(name, factory)`, factory `(**options) -> Executor`."""


@hookspec
def register_commands(group: typer.Typer) -> None:
    """Add commands to `echokit`: `@group.command("name")` or `group.add_typer(mine, name="name")`.

    Import heavy libraries inside a command's function, so that `echokit --help` stays instant.
    """
