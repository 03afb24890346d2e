"""The hospital's archive: studies in, results out as DICOM objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from echokit import hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def register_writers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add the writers of DICOM objects."""


@hookimpl
def register_commands(group: typer.Typer) -> None:
    """Add `echokit data deidentify`, which writes copies in which nobody is named."""
    from echokit_dicom.deidentify.command import data

    group.add_typer(data, name="data")
