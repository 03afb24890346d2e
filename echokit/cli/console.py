"""The terminal: progress bars, one-line errors, machine-readable output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from echokit.system.progress import Tick

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Bars:
    """Rich progress bars on standard error, with a rate in the stage's own unit."""

    @contextmanager
    def bar(self, title: str, total: int, unit: str) -> Iterator[Tick]:
        """Open a bar of `total` units."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

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


def one_line(kind: str, style: str, message: str) -> None:
    """Print a message to standard error, its kind first, whatever characters it holds."""
    from rich.text import Text

    text = " ".join(message.split())
    err.print(Text.assemble((f"{kind}: ", style), text), soft_wrap=True)
