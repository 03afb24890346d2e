"""Measure the seconds and the peak memory of each stage of some work."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
_END: Any = object()
"""Returned by `next` at the end of an iterator, whose items may be anything else."""


@dataclass(slots=True)
class Cost:
    """The time and memory that a stage has taken so far."""

    seconds: float = 0.0
    peak_memory_mb: int = 0
    """Peak memory of the whole process while the stage ran, in MiB."""

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure a block and add it to the cost; blocks of several costs must not overlap."""
        _reset_peak_memory()
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - started
            self.peak_memory_mb = max(self.peak_memory_mb, _peak_memory_mb())


@dataclass(frozen=True, slots=True)
class Profile:
    """The cost of each stage of work whose stages alternate."""

    costs: dict[str, Cost] = field(default_factory=dict)
    """Stage -> its cost, in the order of their first start."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a block as part of a stage."""
        with self.costs.setdefault(name, Cost()).measured():
            yield

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Pass items on, and measure the making of each as part of a stage, but not its use."""
        source = iter(items)
        while True:
            with self.stage(name):
                item = next(source, _END)
            if item is _END:
                return
            yield item

    def rows(self) -> list[dict[str, object]]:
        """Return a row for each stage in the order of their first start, as in `run.json`."""
        return [
            {"name": name, **asdict(cost), "seconds": round(cost.seconds, 3), "done": True}
            for name, cost in self.costs.items()
        ]


def _reset_peak_memory() -> None:
    # only Linux can reset the peak: elsewhere it is that of the process since its start
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory_mb() -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    import resource  # exists on Unix alone

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 2**20 if sys.platform == "darwin" else peak // 1024
