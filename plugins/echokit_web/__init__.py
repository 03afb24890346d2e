"""A page for the clinician: drop a study, see the result and why, correct it, and go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from echokit import hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def register_commands(group: typer.Typer) -> None:
    """Add `echokit serve`, the page, and `echokit watch`, the same page beside a run."""
    from echokit_web.command import serve, watch

    group.command("serve")(serve)
    group.command("watch")(watch)
