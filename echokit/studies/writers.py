"""The writer `folder`, which is registered by the same hook as a plugin's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from echokit.hookspecs import Register, hookimpl
from echokit.interfaces import Writer

if TYPE_CHECKING:
    from echokit.studies.result import StudyResult


@hookimpl
def register_writers(register: Register) -> None:
    """Add the writer `folder`."""
    register("folder", folder)


def folder() -> Writer:
    """Write a new folder of `prediction.json`, saliency maps and clips, and a page."""
    return _save


def _save(result: StudyResult, out: Path) -> list[Path]:
    return result.save(out)
