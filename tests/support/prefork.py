"""A process that has imported what commands import, and makes a copy of itself for each command.

Importing torch and MONAI takes most of a small command's seconds. `python -c "from prefork import
serve; serve()"` reads a command from each line of its input and answers with the exit code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from threading import Timer

LIBRARIES = (
    "captum.attr",
    "echokit.runs",
    "echokit.studies",
    "matplotlib.figure",
    "monai.transforms",
    "pytorchvideo.models",
    "sklearn.metrics",
    "torch",
    "zarr",
)

LONGEST = 600
"""Seconds that a command may take."""


def serve() -> None:
    """Carry out the commands that come in, each in a process of its own."""
    for name in LIBRARIES:
        import_module(name)
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            _carry_out(**json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _carry_out(
    words: list[str], out: str, err: str, folder: str, environment: dict[str, str]
) -> None:
    """Become the command `echokit`, and end as it does."""
    for number, target in ((0, os.devnull), (1, out), (2, err)):
        opened = os.open(target, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["echokit", *words]
    from echokit.cli import main

    main()
    sys.exit(0)


class Commands:
    """Carries out commands by a process that has imported their libraries."""

    def __init__(self, scratch: Path, environment: dict[str, str]) -> None:
        self.scratch = scratch
        here = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error::RuntimeWarning",
                "-c",
                "from prefork import serve; serve()",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment | {"PYTHONPATH": here},
        )

    def __call__(
        self, words: list[str], folder: Path, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Carry out one command and return its exit code and what it printed."""
        out, err = self.scratch / "out", self.scratch / "err"
        for path in (out, err):
            path.write_bytes(b"")
        asked = {"words": words, "out": str(out), "err": str(err)}
        asked |= {"folder": str(folder), "environment": environment}
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        watch = Timer(LONGEST, self.process.kill)
        watch.start()
        answer = self.process.stdout.readline()
        watch.cancel()
        assert answer, f"no answer in {LONGEST} s: {words}"
        code = int(answer)
        return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())

    def close(self) -> None:
        """End the process."""
        self.process.communicate()
