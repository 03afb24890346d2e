"""Tries many damaged files in processes that may die, and counts how the cases end.

python tests/support/fuzz_night.py COUNT [FIRST]
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

COMMAND = (str(Path(__file__).with_name("fuzzing.py")),)
"""What tries cases of sources: told the first and the number of them."""
RESULTS = (str(Path(__file__).with_name("fuzz_results.py")),)
"""The same of runs, bundles and weights."""
FEWER = 10
"""So many cases of sources for each of results, which take longer."""
SOUND = ("clip", "rejection", "error")
"""How a case may end."""
BATCH = 500
"""Cases of one process."""
PATIENCE = 600.0
"""Seconds after which a batch of cases is ended."""


def broken(case: dict[str, Any]) -> bool:
    """Tell whether a case ended as none may."""
    return case["end"] not in SOUND


def tried(first: int, count: int, command: tuple[str, ...] | None = None) -> list[dict[str, Any]]:
    """Try cases one after another; where the process dies, go on after the case that it died of."""
    done: list[dict[str, Any]] = []
    while len(done) < count:
        at = first + len(done)
        words = [sys.executable, *(command or COMMAND), str(at), str(count - len(done))]
        try:
            ran = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
            output, end = ran.stdout, f"the process ended with {ran.returncode}"
            printed = ran.stderr
        except subprocess.TimeoutExpired as error:
            output, end = (error.stdout or b"").decode(), "it never ended"
            printed = (error.stderr or b"").decode()
        lines = [json.loads(line) for line in output.splitlines()]
        done += [line for line in lines if "end" in line]
        begun = [line["case"] for line in lines if "case" in line]
        died = len(done) < count
        if printed and not died:  # no file may make a library print
            done[-1] = done[-1] | {"end": f"a library printed: {printed[-1000:]}"}
        if died:
            number = begun[-1] if begun else at
            done.append({"case": number, "end": f"{end}: {printed[-1000:]}"})
    return done


def main() -> int:
    """Try cases of sources, then of results."""
    count = int(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    wrong = _night("sources", first, count, COMMAND)
    wrong += _night("runs and bundles", first, max(1, count // FEWER), RESULTS)
    return 1 if wrong else 0


def _night(what: str, first: int, count: int, command: tuple[str, ...]) -> int:
    """Try cases in batches, print their counts, and return how many ended wrongly."""
    began, ends, wrong, slowest = time.monotonic(), Counter[str](), 0, 0.0
    for at in range(first, first + count, BATCH):
        for case in tried(at, min(BATCH, first + count - at), command):
            slowest = max(slowest, case.get("seconds", 0.0))
            ends[case["end"] if not broken(case) else "wrong"] += 1
            if broken(case):
                wrong += 1
                print(f"case {case['case']} ({case.get('seed', 'unknown')}): {case['end']}")
        counted = ", ".join(f"{n} {end}" for end, n in sorted(ends.items()))
        print(f"{sum(ends.values())} of {count}: {counted}; slowest {slowest:.1f} s", flush=True)
    took = time.monotonic() - began
    print(f"{wrong} of {count} cases of {what} ended wrongly, {took:.0f} s.")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
