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
"""What tries cases: told the first and the number of them."""
SOUND = ("clip", "rejection", "error")
"""How a case may end."""
BATCH = 500
"""Cases of one process."""
PATIENCE = 600.0
"""Seconds after which a batch of cases is ended."""


def broken(case: dict[str, Any]) -> bool:
    """Tell whether a case ended as none may."""
    return case["end"] not in SOUND


def tried(first: int, count: int) -> list[dict[str, Any]]:
    """Try cases one after another; where the process dies, go on after the case that it died of."""
    done: list[dict[str, Any]] = []
    while len(done) < count:
        at = first + len(done)
        command = [sys.executable, *COMMAND, str(at), str(count - len(done))]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
            output, end = ran.stdout, f"the process ended with {ran.returncode}"
            printed = ran.stderr
        except subprocess.TimeoutExpired as error:
            output, end = (error.stdout or b"").decode(), "it never ended"
            printed = (error.stderr or b"").decode()
        lines = [json.loads(line) for line in output.splitlines()]
        done += [line for line in lines if "end" in line]
        begun = [line["case"] for line in lines]
        died = len(done) < count
        if printed and not died:  # no file may make a library print
            done[-1] = done[-1] | {"end": f"a library printed: {printed[-1000:]}"}
        if died:
            number = begun[-1] if begun else at
            done.append({"case": number, "end": f"{end}: {printed[-1000:]}"})
    return done


def main() -> int:
    """Try cases in batches, and print their counts."""
    count = int(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began, ends, wrong, slowest = time.monotonic(), Counter[str](), 0, 0.0
    for at in range(first, first + count, BATCH):
        for case in tried(at, min(BATCH, first + count - at)):
            slowest = max(slowest, case.get("seconds", 0.0))
            ends[case["end"] if not broken(case) else "wrong"] += 1
            if broken(case):
                wrong += 1
                print(f"case {case['case']} ({case.get('seed', 'unknown')}): {case['end']}")
        counted = ", ".join(f"{n} {end}" for end, n in sorted(ends.items()))
        print(f"{sum(ends.values())} of {count}: {counted}; slowest {slowest:.1f} s", flush=True)
    print(f"{wrong} of {count} cases ended wrongly, {time.monotonic() - began:.0f} s.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
