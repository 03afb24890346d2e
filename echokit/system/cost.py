"""Where the minutes go: seconds and peak memory of the stages of a piece of work."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
_END: Any = object()


@dataclass(slots=True)
class Cost:
    """What a stage has taken so far."""

    seconds: float = 0.0
    peak_memory_mb: int = 0
    """Of the whole process while the stage was at work, MiB."""

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Add what the block takes; blocks of several costs must not overlap."""
        _reset_peak_memory()
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - started
            self.peak_memory_mb = max(self.peak_memory_mb, _peak_memory_mb())


class Profile:
    """The cost of each stage, of work whose stages take turns."""

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count a block for a stage."""
        with self.costs.setdefault(name, Cost()).measured():
            yield

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Pass items on; the making of each is counted for a stage, what is done with it is not."""
        source = iter(items)
        while True:
            with self.stage(name):
                item = next(source, _END)
            if item is _END:
                return
            yield item

    def rows(self) -> list[dict[str, Any]]:
        """One row for each stage, in the order they first ran, as `run.json` has them."""
        return [
            {"name": name, **asdict(cost), "seconds": round(cost.seconds, 3), "done": True}
            for name, cost in self.costs.items()
        ]


def _reset_peak_memory() -> None:
    with suppress(OSError):  # Linux only; elsewhere the peak is the process's so far
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory_mb() -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 2**20 if sys.platform == "darwin" else peak // 1024
