"""The hospital's archive: studies in, results out as DICOM objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from echokit import hookimpl


@hookimpl
def register_writers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add the writers of DICOM objects."""
