"""Write a result with the writers that were asked for, and have them send it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from echokit.errors import UsageError
from echokit.interfaces import Writer
from echokit.plugins.registry import registry, resolve

if TYPE_CHECKING:
    from echokit.studies.result import StudyResult

SEND = "send"
"""Option of a writer that sends what it wrote to an address."""


def make_writers(names: Sequence[str], send: str | None) -> Mapping[str, Writer]:
    """Make writers before anything is predicted, so that a wrong name or address costs nothing.

    Args:
        names: names of writers.
        send: address that those with the option `send` send to; None sends nothing.

    Returns:
        Name -> writer.

    Raises:
        UsageError: there is an address and no writer that sends.
    """
    able = {name for name in names if SEND in registry().find("writer", name).options}
    if send is not None and not able:
        senders = [c.name for c in registry().of_kind("writer") if SEND in c.options]
        raise UsageError(
            f"--send {send}: no writer that was asked for can send. Add one by --write"
            f"{': ' + ', '.join(senders) if senders else ', which a plugin brings'}."
        )
    return {
        name: resolve("writer", name, **({SEND: send} if send and name in able else {}))
        for name in dict.fromkeys(names)
    }


def write_all(writers: Mapping[str, Writer], result: StudyResult, out: Path) -> list[Path]:
    """Write a result: of one writer, or of none, to `out`; of several, each to a folder in it."""
    if not writers:
        return result.save(out)
    if len(writers) == 1:
        return next(iter(writers.values()))(result, out)
    return [
        path
        for name, writer in writers.items()
        for path in writer(result, out / name.replace("/", "-"))
    ]
