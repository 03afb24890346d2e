"""Laying tables over tables: what a preset, a config file and `--set key=value` do to a recipe."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from echokit.errors import RecipeError

Table = dict[str, Any]


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """Lay one table over another, key by key and table by table; neither is changed.

    A slot that `over` gives to another component loses the old component's options, and a
    named slot set to `false` is dropped.
    """
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            swapped = _is_slot(old) and value.get("use", old["use"]) != old["use"]
            result[key] = dict(value) if swapped else merge(old, value)
        elif _is_slot(old) and value is False:
            del result[key]
        else:
            result[key] = value
    return result


def _is_slot(value: Any) -> bool:
    """True for a table whose `use` names a component; that of `[views]` lists views."""
    return isinstance(value, Mapping) and isinstance(value.get("use"), str)


def override(document: Mapping[str, Any], path: tuple[str, ...], value: Any) -> Table:
    """Set one key by its path; a component's name given for a slot swaps the component.

    Raises:
        RecipeError: the path leads through something that is not a table.
    """
    target: Any = document
    for depth, key in enumerate(path[:-1], start=1):
        target = target.get(key, {})
        if not isinstance(target, Mapping):
            parent = ".".join(path[:depth])
            raise RecipeError(
                f"--set {'.'.join(path)}: {parent} is a value, not a table; "
                f"set it as a whole: --set {parent}=..."
            )
    old = target.get(path[-1])
    if _is_slot(old) and isinstance(value, str):
        value = {"use": value}
        if value == {"use": old["use"]}:
            return dict(document)
    over: Any = value
    for key in reversed(path):
        over = {key: over}
    return merge(document, over)


def parse_setting(text: str) -> tuple[tuple[str, ...], Any]:
    """Split `a.b."0.5"=value` into its path and value.

    The key is a TOML key, so that a part with a dot can be quoted; the value is a TOML value, or
    else a plain string.

    Raises:
        RecipeError: there is no `=`, or the key is not one.
    """
    key, equals, value = text.partition("=")
    try:
        node: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        node = 0
    if not equals or not node:
        raise RecipeError(f"--set {text!r} is not key=value, as in --set backbone.width=8.")
    path: list[str] = []
    while isinstance(node, dict):
        part, node = next(iter(node.items()))
        path.append(part)
    try:
        return tuple(path), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return tuple(path), value.strip()
