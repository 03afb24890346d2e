"""Check a plugin's hooks before they are called, and find the line of one that raised."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pluggy

from echokit.errors import PluginError, nearest
from echokit.plugins.component import KINDS

HOOKS = {f"register_{kind}s": "group" if kind == "command" else "register" for kind in KINDS}
"""Every hook that a plugin may have, and the argument that it takes."""
NEAR = 0.8
"""Likeness from which a function of another name is a misspelt hook."""
MARK = "write @hookimpl above it, after `from echokit import hookimpl`."


def check_hooks(plugin: object, manager: pluggy.PluginManager) -> None:
    """Refuse a plugin without a hook, or with one that would be passed over or fail.

    Raises:
        PluginError: a hook is misspelt, lacks its mark or takes another argument.
    """
    marked = dict(_marked(plugin, manager))
    for attribute, (name, function) in marked.items():
        if name not in HOOKS:
            raise PluginError(f"There is no hook {attribute!r}: {nearest(name, HOOKS)}")
        taken = [p.name for p in _required(function)]
        if taken != [HOOKS[name]]:
            raise PluginError(
                f"Its {attribute} takes {', '.join(taken) or 'nothing'}: write "
                f"`def {name}({HOOKS[name]}):`."
            )
    for name in HOOKS:
        if callable(getattr(plugin, name, None)) and name not in marked:
            raise PluginError(f"Its {name} is not marked as a hook: {MARK}")
    if not marked:
        raise PluginError(
            " ".join(strays(plugin, manager))
            or f"It has no hook: write one, such as `def register_backbones(register):`, and {MARK}"
        )


def strays(plugin: object, manager: pluggy.PluginManager) -> list[str]:
    """Name each function that looks like a misspelt hook, with what to write instead."""
    marked = dict(_marked(plugin, manager))
    messages = []
    for name in dir(plugin):
        near = get_close_matches(name, HOOKS, n=1, cutoff=NEAR)
        if near and name not in (*HOOKS, *marked) and inspect.isroutine(getattr(plugin, name)):
            messages.append(f"Its {name} is no hook: if {near[0]} is meant, call it so and {MARK}")
    return messages


def where_it_raised(error: BaseException, plugin: object) -> str:
    """`file:line`, the last line of the plugin's own code on the way to an error."""
    stack = traceback.extract_tb(error.__traceback__)
    own = Path(getattr(plugin, "__file__", None) or "")
    folder = own.parent if own.name == "__init__.py" else own
    inside = [entry for entry in stack if Path(entry.filename).is_relative_to(folder)]
    last = (inside if own.name and inside else stack)[-1]
    return f"{last.filename}:{last.lineno}"


def _marked(plugin: object, manager: pluggy.PluginManager) -> Iterator[tuple[str, tuple[str, Any]]]:
    """Attribute, hook that it stands for, and function of everything marked with @hookimpl."""
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is not None and not options.get("optionalhook"):
            name = options.get("specname") or attribute
            yield attribute, (name, getattr(plugin, attribute))


def _required(function: Any) -> list[inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    varying = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in parameters if p.default is p.empty and p.kind not in varying]
