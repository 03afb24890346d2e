"""Override recipe tables by other tables: presets, config files and `--set key=value`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from echokit.errors import RecipeError

LARGEST = 1_000_000
"""Largest number of bytes of a recipe or a config file."""
REPLACE = "replace"
"""Key of a table that takes the place of the whole table below it."""
Table = dict[str, Any]
"""A TOML table as it was read, before it is validated."""


def merge(base: Mapping[str, object], over: Mapping[str, object]) -> Table:
    """Merge two tables key by key, recursively; values of `over` replace those of `base`.

    A slot whose component `over` replaces loses the old component's options. A slot that `over`
    sets to `false` is removed. A table of `over` with the key `replace = true` takes the place of
    the whole old one.
    """
    result: Table = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(value, Mapping) and value.get(REPLACE) is True:
            result[key] = {name: one for name, one in value.items() if name != REPLACE}
        elif isinstance(old, Mapping) and isinstance(value, Mapping):
            # options of the old component mean nothing to the new one
            replaced = _is_slot(old) and value.get("use", old["use"]) != old["use"]
            result[key] = dict(value) if replaced else merge(old, value)
        elif _is_slot(old) and value is False:
            del result[key]
        else:
            result[key] = value
    return result


def _is_slot(value: Any) -> bool:
    """Return True for a table whose `use` is a component's name; `[views]` has a list there."""
    return isinstance(value, Mapping) and isinstance(value.get("use"), str)


def override(document: Mapping[str, object], path: tuple[str, ...], value: Any) -> Table:
    """Set one key by its path; a text for a slot is the name of its new component.

    Raises:
        RecipeError: a part of the path is not a table.
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
    """Parse `a.b."0.5"=value` into its path and value.

    The key is a TOML key, so that a part with a dot can be quoted. The value is a TOML value, or a
    plain string if it is not valid TOML.

    Raises:
        RecipeError: there is no `=`, or the key is not a TOML key.
    """
    key, equals, value = text.partition("=")
    try:
        node: Any = tomllib.loads(f"{key} = 0")
    except (ValueError, RecursionError):
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
    except (ValueError, RecursionError):  # a number of 5000 digits, or 1000 brackets
        raise RecipeError(f"--set {text[:60]!r} has a value that is none.") from None


def loader_options(configs: Iterable[Path], settings: Iterable[str]) -> Table:
    """Return options of the loader of a user's own files.

    Args:
        configs: TOML files, of which the table `[study]` counts.
        settings: texts as `--set` takes them, with or without `study.` before the key.

    Raises:
        RecipeError: a file or a text cannot be read.
    """
    options: Table = {}
    for path in configs:
        options = merge(options, read_toml(path).get("study", {}))
    for keys, value in map(parse_setting, settings):
        options = override(options, keys[1:] if keys[0] == "study" and keys[1:] else keys, value)
    return options


def isolating(asked: bool, *slots: str) -> list[str]:
    """Return the overrides that `--isolate` is short for.

    Args:
        asked: whether it was given.
        slots: tables of the recipe whose loaders then read in another process; `""` for the options
            of a loader alone.
    """
    return [f"{slot and f'{slot}.'}isolate=true" for slot in slots if asked]


def config_texts(configs: Iterable[Path]) -> list[str]:
    """Return the keys of TOML files as `--set` takes them, those of the first file first."""

    def texts(table: Mapping[str, object], above: str) -> Iterator[str]:
        for key, value in table.items():
            name = above + (key if key.replace("-", "").replace("_", "").isalnum() else repr(key))
            if isinstance(value, Mapping) and value:
                yield from texts(value, f"{name}.")
            else:
                yield f"{name}={_toml(value)}"

    return [text for path in configs for text in texts(read_toml(path), "")]


def read_toml(path: Path) -> Table:
    """Read a TOML file.

    Raises:
        RecipeError: it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise RecipeError(f"{path} is not a regular file, so it is no recipe.")
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise RecipeError(f"{path} has more than {LARGEST:,} bytes: it is no recipe.")
        return tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}.") from error
    except RecursionError:
        raise RecipeError(f"{path} is not valid TOML: it is nested too deeply.") from None
    except ValueError as error:  # no TOML, no UTF-8, or a number of 5000 digits
        raise RecipeError(f"{path} is not valid TOML: {error}.") from error


Settings = Iterable[str] | Mapping[str, object]
"""Overrides: texts as `--set` takes them, or values by key such as `{"backbone.width": 8}`."""


def setting_texts(settings: Settings) -> list[str]:
    """Return overrides as `--set` takes them."""
    if isinstance(settings, Mapping):
        return [f"{key}={_toml(value)}" for key, value in settings.items()]
    return list(settings)


def _toml(value: Any) -> str:
    """Write a value in one line of TOML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    return json.dumps(str(value), ensure_ascii=False)
