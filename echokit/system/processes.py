"""Name the current process, and tell whether a process of such a name still lives."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NAME = r"(?P<host>\w+)-(?P<pid>\d+)-(?P<started>\w+)"
"""Pattern of `str(process)`."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one machine; its number alone may be given to another process later."""

    host: str
    """Name of the machine, of letters, digits and `_` alone."""
    pid: int
    started: str
    """When it began, in ticks since the machine started, and which start; `0` where no one says."""

    def __str__(self) -> str:
        return f"{self.host}-{self.pid}-{self.started}"

    @property
    def is_elsewhere(self) -> bool:
        """True if it belongs to another machine, of which nothing is known here."""
        return self.host != _host()

    @property
    def is_dead(self) -> bool:
        """True if it certainly lives no more."""
        if self.is_elsewhere:
            return False
        started = _started(self.pid)
        return started == "" or ("0" not in (started, self.started) and started != self.started)


def this_process() -> Process:
    """Return the current process."""
    pid = os.getpid()
    return Process(_host(), pid, _started(pid) or "0")


def parse_process(text: str) -> Process | None:
    """Read the name of a process; None if it is none."""
    match = re.fullmatch(NAME, text)
    return Process(match["host"], int(match["pid"]), match["started"]) if match else None


@cache
def _host() -> str:
    name = os.uname().nodename if hasattr(os, "uname") else ""
    return re.sub(r"\W", "_", name, flags=re.ASCII)[:40] or "unnamed"


@cache
def _boot() -> str:
    """Identify this start of the machine, since ticks begin again with each."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()[:8]
    return ""


def _started(pid: int) -> str:
    """Return when a process began; `0` if it lives and nobody says when, empty if it is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return "0" if _answers(pid) else ""
    if fields[0] in ("Z", "X"):  # ended, and its parent has not asked how
        return ""
    return f"{_boot()}x{fields[19]}"


def _answers(pid: int) -> bool:
    """Ask the system for a process, where there is no /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True
