"""Finds plugins, keeps what they register with its owner, and makes components by name.

Discovery is a small loop of our own: pluggy's silently skips a second distribution that reuses an
entry-point name, and one plugin that fails to import would abort all the others.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, get_args

import pluggy

from echokit import hookspecs
from echokit.errors import OptionError, PluginError, nearest

GROUP = "echokit"
Kind = Literal["loader", "transform", "backbone", "aggregator", "explainer", "recipe"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class PluginWarning(UserWarning):
    """A plugin that cannot be used; the others keep working."""


@dataclass(frozen=True, slots=True)
class Component:
    """One registered component and the plugin that it belongs to."""

    kind: Kind
    name: str
    factory: Any
    """The factory; for a recipe, the path of its TOML file."""
    owner: str
    """`distribution:entrypoint`."""
    version: str
    """Version of the distribution."""

    @property
    def full_name(self) -> str:
        """`owner/name`, which picks this component even where its name is taken twice."""
        return f"{self.owner}/{self.name}"

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """The factory's keyword arguments by name; empty for a recipe."""
        if self.kind == "recipe":
            return {}
        return dict(inspect.signature(self.factory).parameters)


class Registry:
    """Every component that the given plugins register, and every plugin that failed to."""

    def __init__(self) -> None:
        self.components: list[Component] = []
        self.problems: list[str] = []
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)

    def load(self, entry_point: EntryPoint) -> None:
        """Import and add one plugin; whatever is wrong with it becomes a `PluginWarning`."""
        distribution = entry_point.dist.name if entry_point.dist else "unknown"
        version = entry_point.dist.version if entry_point.dist else ""
        owner = f"{distribution}:{entry_point.name}"
        try:
            self.add(entry_point.load(), owner, version)
        except Exception as error:  # a stranger's module may raise anything at import
            self._warn(owner, f"{type(error).__name__}: {error}")

    def add(self, plugin: object, owner: str, version: str = "") -> None:
        """Register a plugin module or object under its owner's name.

        Raises:
            PluginError: it implements a hook that does not exist, or registers what cannot be one.
        """
        try:
            self._manager.register(plugin, name=owner)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            self._manager.unregister(name=owner)
            raise PluginError(f"{error} {_nearest_hook(plugin)}") from error
        found: list[Component] = []
        for kind in KINDS:
            hook = getattr(self._manager.hook, f"register_{kind}s")
            for implementation in hook.get_hookimpls():
                if implementation.plugin_name == owner:
                    implementation.function(
                        lambda name, factory, kind=kind: found.append(
                            Component(kind, name, factory, owner, version)
                        )
                    )
        for component in found:
            _check(component)
        self.components += found

    def _warn(self, owner: str, reason: str) -> None:
        message = f"Plugin {owner} is not used: {reason}"
        self.problems.append(message)
        warnings.warn(message, PluginWarning, stacklevel=3)

    def of_kind(self, kind: Kind) -> Iterator[Component]:
        """Every component of one kind, in order of name."""
        return iter(
            sorted((c for c in self.components if c.kind == kind), key=lambda c: (c.name, c.owner))
        )

    def find(self, kind: Kind, name: str) -> Component:
        """Return the one component of that kind and name.

        Args:
            kind: the kind of component.
            name: its name, or `owner/name` or `distribution/name`.

        Raises:
            PluginError: there is none (the nearest names are listed) or there are several.
        """
        if kind not in KINDS:
            raise PluginError(f"There is no kind of component {kind!r}: {nearest(kind, KINDS)}")
        owner, _, bare = name.rpartition("/")
        named = [c for c in self.of_kind(kind) if c.name == bare]
        if owner:
            named = [c for c in named if owner in (c.owner, c.owner.partition(":")[0])]
        if not named:
            known = {c.name for c in self.of_kind(kind)}
            raise PluginError(f"No {kind} is called {name!r}: {nearest(bare, known)}")
        if len(named) > 1:
            choices = " or ".join(repr(c.full_name) for c in named)
            raise PluginError(
                f"Two plugins register the {kind} {bare!r}; say which one you mean: {choices}."
            )
        return named[0]


def _check(component: Component) -> None:
    """Refuse a factory that cannot be called, and a recipe that is not the path of a file."""
    if component.kind == "recipe":
        if not isinstance(component.factory, Path) or not component.factory.is_file():
            raise PluginError(
                f"The recipe {component.name!r} is {component.factory!r}; register the "
                "pathlib.Path of a TOML file."
            )
    elif not callable(component.factory):
        raise PluginError(
            f"The {component.kind} {component.name!r} is {component.factory!r}; register a "
            "function that makes one."
        )


def _nearest_hook(plugin: object) -> str:
    valid = [f"register_{kind}s" for kind in KINDS]
    strays = [n for n in dir(plugin) if n.startswith("register_") and n not in valid]
    return " ".join(f"For {stray!r}: {nearest(stray, valid)}" for stray in strays)


@cache
def registry() -> Registry:
    """The registry of every installed plugin, made once per process."""
    result = Registry()
    seen: set[tuple[str, str]] = set()
    for entry_point in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        key = (entry_point.dist.name if entry_point.dist else "", entry_point.name)
        if key not in seen:  # an editable install may be listed twice on sys.path
            seen.add(key)
            result.load(entry_point)
    return result


def check_options(component: Component, options: dict[str, Any]) -> None:
    """Check keyword arguments against a component's factory, without calling it.

    Raises:
        OptionError: an option is unknown (the valid ones are listed) or a required one missing.
    """
    parameters = component.options
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for name in options:
            if name not in parameters:
                raise OptionError(
                    f"The {component.kind} {component.name!r} has no option {name!r}: "
                    f"{nearest(name, parameters)}"
                )
    missing = [
        name
        for name, p in parameters.items()
        if p.default is p.empty
        and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        and name not in options
    ]
    if missing:
        raise OptionError(
            f"The {component.kind} {component.name!r} needs {', '.join(map(repr, missing))}, "
            f"which was not given. Its options: {', '.join(parameters)}."
        )


def resolve(kind: Kind, name: str, **options: Any) -> Any:
    """Make the component of that kind and name with the given options.

    Args:
        kind: one of `loader, transform, backbone, aggregator, explainer, recipe`.
        name: its registered name, or `owner/name` where two plugins share one.
        options: keyword arguments of its factory; loaders need `source`, backbones need
            `num_classes` and `in_channels`.

    Returns:
        The component; for a recipe, the path of its TOML file.

    Raises:
        PluginError: the name is unknown or ambiguous.
        OptionError: an option is unknown or missing.
    """
    component = registry().find(kind, name)
    if kind == "recipe":
        return component.factory
    check_options(component, options)
    try:
        return component.factory(**options)
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise OptionError(f"The {kind} {name!r} cannot be made with {given}: {error}.") from error
