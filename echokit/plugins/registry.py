"""Finds plugins, keeps what they register with its owner, and makes components by name.

Discovery is a small loop of our own: pluggy's silently skips a second distribution that reuses an
entry-point name, and one plugin that fails to import would abort all the others.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any

import pluggy

from echokit import hookspecs
from echokit.errors import EchokitError, OptionError, PluginError, nearest
from echokit.plugins.commands import collect_commands, is_own
from echokit.plugins.component import (
    KINDS,
    Component,
    Kind,
    check_component,
    check_interface,
)
from echokit.plugins.hooks import check_hooks, strays, where_it_raised
from echokit.plugins.option_types import wanted_instead
from echokit.plugins.renamed import under_todays_names

__all__ = ["KINDS", "Component", "Kind", "PluginWarning", "Registry", "check_options"]
__all__ += ["registry", "resolve"]

GROUP = "echokit"


class PluginWarning(UserWarning):
    """A plugin that cannot be used; the others keep working."""


class Registry:
    """Every component that the given plugins register, and every plugin that failed to."""

    def __init__(self) -> None:
        self.components: list[Component] = []
        self.problems: list[str] = []
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)

    def load(self, entry_point: EntryPoint) -> None:
        """Import and add one plugin; whatever is wrong with it becomes a `PluginWarning`."""
        distribution, version = _name_and_version(entry_point.dist)
        owner = f"{distribution}:{entry_point.name}"
        removal = f"to remove it: pip uninstall {distribution}"
        try:
            plugin = entry_point.load()
        except (Exception, SystemExit) as error:  # a stranger's module may raise anything
            self._warn(
                f"Plugin {owner} is not used: importing it raised {type(error).__name__}: {error}. "
                f"{_missing(error, entry_point)}For the whole error: "
                f'python -c "import {entry_point.value.partition(":")[0]}"; {removal}'
            )
            return
        try:
            self.add(plugin, owner, version)
        except PluginError as error:
            self._warn(f"Plugin {owner} is not used: {error}")
            return
        except (Exception, SystemExit) as error:
            self._warn(
                f"Plugin {owner} is not used: a hook of it raised {type(error).__name__}: {error}, "
                f"in {where_it_raised(error, plugin)}. Correct it there; {removal}"
            )
            return
        for stray in strays(plugin, self._manager):
            self._warn(f"Plugin {owner}: {stray}")

    def add(self, plugin: object, owner: str, version: str = "") -> None:
        """Register a plugin module or object under its owner's name.

        Raises:
            PluginError: it needs another interface, has no hook, one that does not exist, or one
                that lacks its mark; it registers one name twice or what cannot be a component.
        """
        check_interface(plugin)
        check_hooks(plugin, self._manager)
        self._manager.register(plugin, name=owner)
        try:
            self.components += self._registered(owner, version)
        except BaseException:
            self._manager.unregister(name=owner)
            raise

    def _registered(self, owner: str, version: str) -> list[Component]:
        """What a plugin's hooks register."""
        found: list[Component] = []
        for kind in KINDS:
            hook = getattr(self._manager.hook, f"register_{kind}s")
            for implementation in hook.get_hookimpls():
                if implementation.plugin_name != owner:
                    continue

                def register(name: str, factory: Any, kind: Kind = kind) -> None:
                    found.append(Component(kind, name, factory, owner, version))

                if kind == "command":
                    for name, command in collect_commands(implementation.function).items():
                        register(name, command)
                else:
                    implementation.function(register)
        found = [component for component in found if not self._is_taken(component)]
        for component in found:
            check_component(component)
        names = [(component.kind, component.name) for component in found]
        for kind, name in names:
            if names.count((kind, name)) > 1:
                raise PluginError(
                    f"It registers the {kind} {name!r} twice: give each its own name."
                )
        return found

    def _is_taken(self, component: Component) -> bool:
        """Warn of a command whose name echokit has itself; the plugin's other parts are used."""
        taken = component.kind == "command" and is_own(component.name)
        if taken:
            self._warn(
                f"Plugin {component.owner}: its command {component.name!r} is not used, since "
                "echokit-cardiac has a command of that name: its author must rename it."
            )
        return taken

    def _warn(self, message: str) -> None:
        self.problems.append(message)
        warnings.warn(message, PluginWarning, stacklevel=3)

    @property
    def clashes(self) -> list[str]:
        """Every name that two plugins registered, in a sentence that says what to type."""
        names = sorted({(c.kind, c.name) for c in self.components})
        return [_clash(taken) for kind, name in names if len(taken := self._named(kind, name)) > 1]

    def _named(self, kind: Kind, name: str) -> list[Component]:
        return [c for c in self.of_kind(kind) if c.name == name]

    def of_kind(self, kind: Kind) -> Iterator[Component]:
        """Every component of one kind, in order of name."""
        return iter(
            sorted((c for c in self.components if c.kind == kind), key=lambda c: (c.name, c.owner))
        )

    def unambiguous(self, kind: Kind) -> list[str]:
        """A name for every component of one kind: its full name where two plugins share it."""
        found = list(self.of_kind(kind))
        names = [component.name for component in found]
        return [c.name if names.count(c.name) == 1 else c.full_name for c in found]

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
        named = self._named(kind, bare)
        if owner:
            named = [c for c in named if owner in (c.owner, c.distribution)]
        if not named:
            known = {c.name for c in self.of_kind(kind)}
            raise PluginError(f"No {kind} is called {name!r}: {nearest(bare, known)}")
        if len(named) > 1:
            raise PluginError(_clash(named))
        return named[0]


def _missing(error: BaseException, entry_point: EntryPoint) -> str:
    """Say what to install where an import failed because a module is missing."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    if f"{entry_point.module}.".startswith(f"{error.name}."):
        return "Its entry point names a module that is not there: its author must correct that. "
    return f"Install the module, say by pip install {error.name.partition('.')[0]}. "


def _clash(named: list[Component]) -> str:
    kind, name = named[0].kind, named[0].name
    owners = " and ".join(sorted({c.owner for c in named}))
    choices = " or ".join(repr(c.full_name) for c in named)
    return f"{owners} both register the {kind} {name!r}; say which one you mean: {choices}."


@cache
def _name_and_version(distribution: Distribution | None) -> tuple[str, str]:
    """Return a distribution's name and version; each is parsed from its whole description."""
    return ("unknown", "") if distribution is None else (distribution.name, distribution.version)


@cache
def registry() -> Registry:
    """The registry of every installed plugin, made once per process."""
    result = Registry()
    seen: set[tuple[str, str]] = set()
    for entry_point in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        key = (_name_and_version(entry_point.dist)[0], entry_point.name)
        if key not in seen:  # an editable install may be listed twice on sys.path
            seen.add(key)
            result.load(entry_point)
    return result


def check_options(component: Component, options: Mapping[str, Any]) -> dict[str, Any]:
    """Check keyword arguments against a component's factory, without calling it.

    Returns:
        The options as the factory takes them: an old name is replaced, with a warning.

    Raises:
        OptionError: an option is unknown (the valid ones are listed) or a required one missing.
    """
    parameters = component.options
    given = under_todays_names(component.factory, options, str(component))
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for name in given:
            if name not in parameters:
                raise OptionError(
                    f"The {component} has no option {name!r}: {nearest(name, parameters)}"
                )
    missing = [
        name
        for name, p in parameters.items()
        if p.default is p.empty
        and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        and name not in given
    ]
    if missing:
        raise OptionError(
            f"The {component} needs {', '.join(map(repr, missing))}, "
            f"which was not given. Its options: {', '.join(parameters)}."
        )
    for name, value in given.items():
        wanted = wanted_instead(parameters[name].annotation, value) if name in parameters else ""
        if wanted:
            raise OptionError(f"The {component} was given {name}={value!r}: give {wanted}.")
    return given


def resolve(kind: Kind, name: str, **options: Any) -> Any:
    """Make the component of that kind and name with the given options.

    Args:
        kind: one of `loader, transform, backbone, aggregator, explainer, recipe, writer,
            executor, command`.
        name: its registered name, or `owner/name` where two plugins share one.
        options: keyword arguments of its factory; loaders need `source`, backbones need
            `num_classes` and `in_channels`.

    Returns:
        The component; for a recipe, the path of its TOML file; for a command, typer's command.

    Raises:
        PluginError: the name is unknown or ambiguous, or the factory fails.
        OptionError: an option is unknown or missing, or its value is refused.
    """
    component = registry().find(kind, name)
    if kind in ("recipe", "command"):
        return component.factory
    given = check_options(component, options)
    try:
        return component.factory(**given)
    except EchokitError:
        raise
    except (TypeError, ValueError) as error:
        written = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise OptionError(f"The {component} cannot be made with {written}: {error}.") from error
    except ModuleNotFoundError as error:
        raise PluginError(
            f"The {component} needs the module {error.name!r}, which is not installed: install "
            f"what {component.distribution} asks for, say by pip install --upgrade "
            f"{component.distribution}"
        ) from error
    except Exception as error:  # a stranger's factory may raise anything
        raise PluginError(
            f"The {component} could not be made: {type(error).__name__}: {error}"
        ) from error
