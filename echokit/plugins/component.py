"""A registered component, and the checks of a plugin before its components are taken."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from echokit.errors import PluginError
from echokit.hookspecs import INTERFACE

Kind = Literal[
    "loader",
    "transform",
    "backbone",
    "aggregator",
    "explainer",
    "recipe",
    "writer",
    "executor",
    "command",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Component:
    """One registered component and the plugin that it belongs to."""

    kind: Kind
    name: str
    factory: Any
    """The factory; for a recipe, the path of its TOML file; for a command, typer's command."""
    owner: str
    """`distribution:entrypoint`."""
    version: str
    """Version of the distribution."""

    @property
    def full_name(self) -> str:
        """`owner/name`, which picks this component even where its name is taken twice."""
        return f"{self.owner}/{self.name}"

    @property
    def distribution(self) -> str:
        """Name of the distribution it was installed with."""
        return self.owner.partition(":")[0]

    def __str__(self) -> str:
        """What an error calls it: `backbone 'tiny3d' of echokit-tiny3d`."""
        return f"{self.kind} {self.name!r} of {self.distribution}"

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """The factory's keyword arguments by name; none of a recipe or a group of commands."""
        factory = self.factory.callback if self.kind == "command" else self.factory
        if self.kind == "recipe" or factory is None:
            return {}
        return dict(inspect.signature(factory).parameters)


def check_interface(plugin: object) -> None:
    """Refuse a plugin that was written for an interface that this echokit does not have."""
    wanted = getattr(plugin, "echokit_interface", INTERFACE)
    if not isinstance(wanted, int):
        raise PluginError(
            f"Its `echokit_interface` is {wanted!r}: a whole number, such as "
            f"{INTERFACE}, is expected."
        )
    if wanted > INTERFACE:
        raise PluginError(
            f"It needs interface {wanted}, and this echokit has {INTERFACE}: "
            "pip install --upgrade echokit-cardiac"
        )
    if wanted < INTERFACE:
        raise PluginError(
            f"It was written for interface {wanted}, and this echokit has {INTERFACE}: "
            "install a newer version of the plugin."
        )


def check_component(component: Component) -> None:
    """Refuse a name that is no text, a factory that cannot be called, a recipe that is no file."""
    if not isinstance(component.name, str) or not component.name.strip():
        raise PluginError(
            f"It registers a {component.kind} under the name {component.name!r}: give it a name "
            f'as text, as in register("my-{component.kind}", ...).'
        )
    if component.kind == "recipe":
        if not isinstance(component.factory, Path) or not component.factory.is_file():
            raise PluginError(
                f"The recipe {component.name!r} is {component.factory!r}; register the "
                "pathlib.Path of a TOML file."
            )
    elif component.kind == "command":
        return  # typer made it
    elif inspect.ismodule(component.factory):
        raise PluginError(
            f"The {component.kind} {component.name!r} is the module {component.factory.__name__}: "
            "importing a file of a package puts it in the place of a function of that name; rename "
            "the file or the function."
        )
    elif not callable(component.factory):
        raise PluginError(
            f"The {component.kind} {component.name!r} is {component.factory!r}; register a "
            "function that makes one."
        )
    else:
        _check_signature(component)


def _check_signature(component: Component) -> None:
    try:
        inspect.signature(component.factory)
    except (TypeError, ValueError):
        raise PluginError(
            f"The {component.kind} {component.name!r} is {component.factory!r}, whose options "
            "cannot be read: register a function whose keyword arguments are its options."
        ) from None
