"""How long a user waits for help and for the list of plugins."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import Any

from echokit.bench.timing import Claim, paired, timing_row

COMMANDS = {"echokit --help": (["--help"], 0.4), "echokit plugins list": (["plugins", "list"], 0.8)}


def measure(quick: bool) -> list[dict[str, Any]]:
    """Rows on commands that should feel instant, beside Python's own start."""
    rows = []
    for name, (words, seconds) in COMMANDS.items():
        ours, python = paired(
            partial(_run, "-m", "echokit", *words),
            partial(_run, "-c", "pass"),
            3 if quick else 15,
        )
        row = timing_row(Claim(name, "Python's own start", seconds=seconds), ours, python)
        rows.append(row | {"ratio": None, "spread": None})
    return rows


def _run(*words: str) -> None:
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
