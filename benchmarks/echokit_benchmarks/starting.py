"""Time until a user sees the help and the list of plugins."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import Any

from echokit.bench.timing import Claim, paired, timing_row

COMMANDS = {"echokit --help": (["--help"], 0.4), "echokit plugins list": (["plugins", "list"], 0.8)}
"""Command -> its arguments, and the goal in seconds."""


def measure(quick: bool) -> list[dict[str, Any]]:
    """Time commands that should feel instant, beside Python's own start: one row each."""
    rows = []
    for name, (arguments, seconds) in COMMANDS.items():
        ours, python = paired(
            partial(_run, "-m", "echokit", *arguments),
            partial(_run, "-c", "pass"),
            3 if quick else 15,
        )
        row = timing_row(Claim(name, "Python's own start", seconds=seconds), ours, python)
        rows.append(row | {"ratio": None, "spread": None})
    return rows


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
