"""Addresses of clips that are no paths: `LOADER:ADDRESS`, as in `dicomweb:https://host/studies`."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from echokit.plugins.registry import registry

Address = str | PathLike[str]
"""A path, or `LOADER:ADDRESS`."""


def split_address(source: Address) -> tuple[str, str] | None:
    """Split an address that begins with the name of an installed loader.

    A file or folder of that name comes first, so that no path changes its meaning when a plugin is
    installed.

    Returns:
        The loader's name, and what it is to read; None for a path.
    """
    name, colon, address = str(source).partition(":")
    if not colon or not any(loader.name == name for loader in registry().of_kind("loader")):
        return None
    return None if Path(source).exists() else (name, address)
