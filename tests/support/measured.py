"""What reading a source takes, measured in a process of its own that may not take more."""

from __future__ import annotations

import json
import os
import resource
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIMIT = 6 * 2**30
"""Bytes that the process may ask for."""
PATIENCE = 20.0
"""Seconds of the processor that a source may take."""
TICKS = os.sysconf("SC_CLK_TCK")


class Reader:
    """Lists and reads sources in another process, which is started anew where it was ended."""

    def __init__(self) -> None:
        self._process: Any = None

    def __call__(
        self, source: Path, loader: str = "files", limits: Mapping[str, float] | None = None
    ) -> dict[str, Any]:
        """Return `clips`, `reasons`, `error`, and `mb` and `seconds` that reading them took."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._process.stdout.readline()
        process = self._process
        options = {"source": str(source)} | ({"limits": dict(limits)} if limits else {})
        process.stdin.write(json.dumps([loader, options]) + "\n")
        process.stdin.flush()
        began, taken = _seconds(process.pid), 0.0
        while not select.select([process.stdout], [], [], 0.2)[0] and taken <= PATIENCE:
            taken = _seconds(process.pid) - began
        if taken <= PATIENCE and (answer := process.stdout.readline()):
            return dict(json.loads(answer))
        peak, ended = _peak(process.pid), process.poll()
        self.close()
        error = "it never ended" if ended is None else f"the process ended with {ended}"
        return {"clips": 0, "reasons": [], "error": error, "seconds": taken, "mb": peak}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None


def _peak(process: int | str = "self") -> float:
    """Megabytes that a process had at most since the peak was forgotten; 0 if it has ended."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000 if "VmHWM:" in status else 0.0


def _seconds(process: int) -> float:
    """Seconds of the processor that a process has taken."""
    values = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / TICKS


def _measure(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    from echokit import ClipRef, EchokitError, Rejection, resolve

    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    before, began = _peak(), time.process_time()
    found: dict[str, Any] = {"clips": 0, "reasons": [], "error": ""}
    try:
        loader = resolve("loader", name, **options)
        for item in loader.index():
            try:
                if isinstance(item, Rejection):
                    found["reasons"].append(item.reason)
                elif isinstance(item, ClipRef):
                    loader.read(item)
                    found["clips"] += 1
            except EchokitError as error:
                found["reasons"].append(str(error))
    except EchokitError as error:
        found["error"] = f"refused: {error}"
    except Exception as error:
        found["error"] = f"{type(error).__name__}: {error}"
    return found | {"mb": _peak() - before, "seconds": time.process_time() - began}


def main() -> None:
    """Answer each line of the input, a loader and its options, with a line of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    import av  # noqa: F401 - what is imported once is no source's doing
    import nibabel  # noqa: F401
    import pydicom.pixels  # noqa: F401
    import scipy.ndimage  # noqa: F401

    import echokit_io.loader  # noqa: F401

    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_measure(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
