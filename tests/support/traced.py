"""Where a command tries to connect to, by strace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

REMOTE = re.compile(r'AF_INET6?,.*?htons\((\d+)\).*?"([0-9a-f.:]+)"')


def connections(
    command: Sequence[str | Path], trace: Path
) -> tuple[subprocess.CompletedProcess[str], set[tuple[str, int]]]:
    """Run a command; return it, and every (address, port) that it or its children tried."""
    done = subprocess.run(
        [*tracing(trace), *command], capture_output=True, text=True, timeout=300, check=False
    )
    return done, remotes(trace)


def tracing(trace: Path) -> list[str | Path]:
    """What stands before a command that is traced."""
    if shutil.which("strace") is None:
        if os.environ.get("CI"):
            pytest.fail("strace is not installed: apt-get install strace")
        pytest.skip("tracing takes strace")
    return ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", trace]


def remotes(trace: Path) -> set[tuple[str, int]]:
    """Every (address, port) of a trace."""
    found = REMOTE.findall(trace.read_text("utf-8", errors="replace"))
    # port 0 is how the C library sorts addresses; nothing is sent there
    return {(address, int(port)) for port, address in found if port != "0"}
