"""Reading files in another process with hard limits: what decoders do there harms nobody.

The process is started for the first file and serves all others. It answers each request with one
line of JSON and then the pixels, so that nothing that it sends is ever run or unpickled.
"""

from __future__ import annotations

import json
import math
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from io import BufferedReader
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import UInt8

from echokit import Box, Clip, ClipError
from echokit_io import formats
from echokit_io.budget import Budget
from echokit_io.clip_info import ClipInfo
from echokit_io.colour import Colour

OWN_MEMORY = 2_000_000_000
"""Bytes of addresses that the process may have beside those of a clip: its libraries."""
LINE = 1_000_000
"""Largest number of bytes of an answer before its pixels."""
PATIENCE = 10
"""How many times its seconds of the processor a file may take by the clock."""


@final
class Isolated:
    """Reads files in another process; it is started anew after a file that it died of."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __reduce__(self) -> tuple[type[Isolated], tuple[Budget]]:
        return Isolated, (self.budget,)

    def examine(self, path: Path) -> ClipInfo:
        """Do `formats.examine`.

        Raises:
            ClipError: the file is not a clip, or the process died of it.
        """
        answer, _ = self._ask({"do": "examine", "path": str(path)})
        info = answer["info"]
        return ClipInfo(**info | {key: tuple(info[key]) for key in ("names", "views", "texts")})

    def read(self, path: Path, colour: Colour) -> Clip:
        """Do `formats.read`.

        Raises:
            ClipError: the file cannot be read, or the process died of it.
        """
        answer, movies = self._ask({"do": "read", "path": str(path), "colour": colour})
        spacing, region = answer["spacing"], answer["region"]
        return Clip(
            frames=movies[0],
            fps=answer["fps"],
            times=np.asarray(answer["times"], np.float64) if answer["times"] else None,
            spacing=(float(spacing[0]), float(spacing[1])) if spacing else None,
            region=Box(**region) if region else None,
            structures=movies[1] if len(movies) > 1 else None,
            structure_names=tuple(answer["names"]),
        )

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            _end(self._process)
            self._process = None

    def _ask(self, request: Mapping[str, str]) -> tuple[Any, list[UInt8[np.ndarray, "T H W"]]]:
        with self._lock:
            process = self._started()
            assert process.stdin is not None
            assert isinstance(process.stdout, BufferedReader)
            try:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
                self._wait(process.stdout)
                answer = json.loads(process.stdout.readline(LINE))
                movies = [self._movie(process.stdout, shape) for shape in answer.get("shapes", [])]
            except (OSError, ValueError, KeyError, TypeError):
                raise ClipError(self._death(process)) from None
            except BaseException:
                self.close()
                raise
        if "reason" in answer:
            raise ClipError(str(answer["reason"]))
        return answer, movies

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and this module
                # -P: what lies in the current folder is data, and never imported
                [sys.executable, "-P", "-m", __name__, json.dumps(asdict(self.budget))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            weakref.finalize(self, _end, self._process)
        return self._process

    def _wait(self, answers: BufferedReader) -> None:
        if not select.select([answers], [], [], PATIENCE * self.budget.seconds)[0]:
            raise OSError("it does not answer")

    def _movie(self, answers: BufferedReader, shape: list[int]) -> UInt8[np.ndarray, "T H W"]:
        count = math.prod(shape)
        if len(shape) != 3 or not 0 < count <= self.budget.bytes:
            raise ValueError("no clip has this shape")
        movie = np.empty(shape, np.uint8)
        pixels = movie.reshape(-1).data
        while len(pixels):
            got = answers.readinto(pixels)
            if not got:
                raise OSError("it ended")
            pixels = pixels[got:]
        return movie

    def _death(self, process: subprocess.Popen[bytes]) -> str:
        """Say what a process died of, and forget it."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
        code = process.poll()
        self.close()
        if code is None:
            return "reading it, in a process of its own, did not end, and was stopped"
        if code == -signal.SIGXCPU:
            return (
                f"reading it, in a process of its own, took more than {self.budget.seconds:g} "
                "seconds, and was stopped"
            )
        name = signal.Signals(-code).name if code < 0 else f"status {code}"
        return f"reading it, in a process of its own, ended that process ({name})"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _answer(request: Mapping[str, Any], budget: Budget) -> tuple[dict[str, Any], list[Any]]:
    path = Path(request["path"])
    if request["do"] == "examine":
        return {"info": asdict(formats.examine(path, budget))}, []
    clip = formats.read(path, request["colour"], budget)
    movies = [movie for movie in (clip.frames, clip.structures) if movie is not None]
    return {
        "shapes": [movie.shape for movie in movies],
        "fps": clip.fps,
        "times": None if clip.times is None else clip.times.tolist(),
        "spacing": clip.spacing,
        "region": asdict(clip.region) if clip.region else None,
        "names": clip.structure_names,
    }, movies


def _limit(budget: Budget) -> None:
    """Set hard limits of memory, of files that are written, and of cores."""
    import resource

    memory = budget.bytes + OWN_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (0, 0))


def _limit_seconds(budget: Budget) -> None:
    """Allow the seconds of one more file, and a few for what no clock sees."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(time.process_time() + 1.1 * budget.seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def main() -> None:
    """Answer the requests on the standard input until it ends."""
    budget = Budget(**json.loads(sys.argv[1]))
    _limit(budget)
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # what a decoder prints is no answer
    for line in sys.stdin.buffer:
        _limit_seconds(budget)
        try:
            answer, movies = _answer(json.loads(line), budget)
        except ClipError as error:
            answer, movies = {"reason": str(error)}, []
        answers.write(json.dumps(answer).encode() + b"\n")
        for movie in movies:
            answers.write(np.ascontiguousarray(movie).data)
        answers.flush()


if __name__ == "__main__":
    main()
