"""Accept an option under its old name, with one warning."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from echokit.errors import OptionError

F = TypeVar("F", bound=Callable[..., Any])
MARK = "__echokit_renamed__"


class DeprecatedOptionWarning(FutureWarning):
    """An option that goes by another name now; a kind of warning that users see."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """The new name of an option."""

    instead: str
    """The name that it has now."""
    since: str
    """The version of the plugin that renamed it."""


def deprecated_option(old: str, *, instead: str, since: str) -> Callable[[F], F]:
    """Keep an option's old name working, with one warning a process, on the factory it decorates.

    ```python
    @deprecated_option("channels", instead="width", since="0.3")
    def tiny3d(num_classes, in_channels, *, width=8): ...
    ```

    Args:
        old: the name that recipes may still use.
        instead: the factory's argument that has its meaning now.
        since: version of the plugin from which on `old` warns.
    """

    def mark(factory: F) -> F:
        setattr(factory, MARK, {**renamed_options(factory), old: Renamed(instead, since)})
        return factory

    return mark


def renamed_options(factory: object) -> Mapping[str, Renamed]:
    """Old names of a factory's options."""
    names: Mapping[str, Renamed] = getattr(factory, MARK, {})
    return names


def under_todays_names(
    factory: object, options: Mapping[str, Any], component: str
) -> dict[str, Any]:
    """Return the options with old names replaced.

    Args:
        factory: what takes the options.
        options: as a user wrote them.
        component: what to call the component in a message.

    Raises:
        OptionError: an option is given under both names.
    """
    result = dict(options)
    for old, now in renamed_options(factory).items():
        if old in result:
            if now.instead in result:
                raise OptionError(
                    f"The {component} was given {now.instead!r} and also {old!r}, its old name: "
                    f"leave {old!r} out."
                )
            result[now.instead] = result.pop(old)
            _warn_once(
                (component, old),
                f"The option {old!r} of the {component} is called {now.instead!r} since version "
                f"{now.since}: write {now.instead}={result[now.instead]!r}.",
            )
    return result


_warned: set[tuple[str, str]] = set()
"""Component and old name of every warning that this process has shown."""


def _warn_once(what: tuple[str, str], message: str) -> None:
    if what not in _warned:
        _warned.add(what)
        warnings.warn(message, DeprecatedOptionWarning, stacklevel=4)
