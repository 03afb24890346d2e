"""The terminal: progress bars, one-line errors, machine-readable output."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.text import Text

from echokit.errors import EchokitError
from echokit.system.digests import Digests
from echokit.system.progress import Tick

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that command a terminal, or turn the direction of the text."""


class Terminal(Console):
    """A console that shows control characters of names as `?` and does not obey them."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Render to segments whose texts hold no control character."""
        for segment in super().render(renderable, options):
            if segment.control is None and _CONTROL.search(segment.text):
                yield Segment(_CONTROL.sub("?", segment.text), segment.style)
            else:
                yield segment


out = Terminal(highlight=False)
err = Terminal(stderr=True, highlight=False)


class Bars:
    """Rich progress bars on standard error, with a rate in the stage's own unit."""

    @contextmanager
    def bar(self, title: str, total: int, unit: str) -> Iterator[Tick]:
        """Open a bar of `total` units."""
        columns = (
            TextColumn("{task.description:<26}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>16}", style="cyan"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=err) as progress:
            task = progress.add_task(title, total=total, rate="")

            def tick(done: int) -> None:
                progress.advance(task, done)
                state = progress.tasks[0]
                speed = state.finished_speed or state.speed
                progress.update(task, rate=f"{speed:.1f} {unit}/s" if speed else "")

            yield tick


class Count:
    """A line on standard error that counts what was read, where nobody knows how much there is."""

    @contextmanager
    def bar(self, title: str, total: int, unit: str) -> Iterator[Tick]:
        """Open a line of that title."""
        with err.status(f"{title} ...", spinner="dots") as status:
            read = 0

            def tick(done: int) -> None:
                nonlocal read
                read += done
                status.update(f"{title}: {read}")

            yield tick


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def warn_of_changed_recipe(run: Path) -> None:
    """Say that a run's recipe is not what it was made by: by hand, or by damage."""
    try:
        changed = Digests.read(run).problem("recipe.toml")
    except EchokitError:  # said by whoever uses the run
        return
    if changed:
        told = f"{run / 'recipe.toml'} was changed since the run was made."
        one_line("warning", "yellow", told)


def one_line(kind: str, style: str, message: str) -> None:
    """Print a message to standard error, its kind first, whatever characters it holds."""
    text = " ".join(message.split())
    err.print(Text.assemble((f"{kind}: ", style), text), soft_wrap=True)
