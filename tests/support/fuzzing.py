"""Damages small sources at random, reads them, and says how each case ends.

    python tests/support/fuzzing.py FIRST COUNT    one line of JSON for each case

A case is its number: the same number gives the same bytes, wherever it runs.
"""

from __future__ import annotations

import contextlib
import json
import random
import resource
import shutil
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_seeds import Seed, seeds, write

LIMITS = {"memory": 200, "seconds": 5.0, "rows": 5_000}
"""What reading a case may cost."""
SECONDS = 10.0
"""Seconds of the processor that a case may take."""
MEMORY = 3 * 2**30
"""Bytes that the process may ask for."""
WORDS = (
    *(b"nan", b"inf", b"-1", b"1e300", b"1e-300", b"0", b"", b"\0", b'"', b"'", b"\n", b"=cmd()"),
    *(b"../../x", b"/dev/zero", b"\xff\xfe", b"[", b"]", b"{", b"}", b"99999999999999999999"),
    *(b"true", b"-0.0", b"A" * 300, b"\xe2\x80\xae", b";", b",", b"\t", b"x = [", b"1979-05-27"),
    *(b"[" * 3000, b"9" * 5000, b"a." * 2000),
)
"""What stands in the place of a number or a word of a text."""
LENGTHS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Numbers that are stated of a length, a count or an offset."""
TEXTS = ("csv", "toml")


def damaged(seed: Seed, rng: random.Random, others: list[bytes]) -> bytes:
    """Damage a seed: its bytes, or those of one of its packed parts."""
    if seed.unpack is not None and seed.pack is not None and rng.random() < 0.7:
        parts = seed.unpack(seed.data)
        index = rng.randrange(len(parts) // 2) * 2 + 1
        parts[index] = mutant(parts[index], seed.kind in (*TEXTS, "xlsx"), rng, others)
        return seed.pack(parts)
    return mutant(seed.data, seed.kind in TEXTS, rng, others)


def mutant(data: bytes, is_text: bool, rng: random.Random, others: list[bytes]) -> bytes:
    """Damage bytes at random; of a text some words too."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        span = len(made) if rng.random() < 0.5 else min(len(made), 1200)
        at = rng.randrange(span) if span else 0
        choice = rng.randrange(12 if is_text else 9)
        if choice == 0:
            for _ in range(rng.randint(1, 6)):
                made[at : at + 1] = bytes([rng.randrange(256)])
        elif choice == 1:
            made[at : at + 1] = bytes([(made[at] if at < len(made) else 0) ^ 1 << rng.randrange(8)])
        elif choice == 2:
            del made[at:]
        elif choice == 3:
            del made[at : at + rng.randint(1, 64)]
        elif choice == 4:
            made[at:at] = made[at : at + rng.randint(1, 400)] * rng.randint(1, 4)
        elif choice == 5:
            other = rng.choice(others)
            start = rng.randrange(max(len(other), 1))
            made[at : at + rng.choice((0, 64))] = other[start : start + rng.randint(1, 200)]
        elif choice in (6, 7):
            form = rng.choice(("<H", ">H", "<I", ">I", "<Q", ">Q", "<f", "<d"))
            value: Any = rng.choice(LENGTHS)
            if form[1] in "fd":
                value = rng.choice((float("nan"), float("inf"), -1.0, 0.0, 1e300, 1e-300))
                value = float(np.float32(value)) if form[1] == "f" and abs(value) < 1e30 else value
            with contextlib.suppress(struct.error, OverflowError):
                made[at : at + struct.calcsize(form)] = struct.pack(form, value)
        elif choice == 8:
            made[at : at + 1] = bytes(rng.choice((1, 16, 300)))
        else:
            _reword(made, rng)
    return bytes(made[: 4 * len(data) + 4096])


def _reword(text: bytearray, rng: random.Random) -> None:
    """Put something else in the place of one word of a text."""
    breaks = [i for i, code in enumerate(text) if not chr(code).isalnum()]
    if len(breaks) > 1:
        index = rng.randrange(len(breaks) - 1)
        text[breaks[index] + 1 : breaks[index + 1]] = rng.choice(WORDS)


def outcome(seed: Seed, source: Path) -> str:
    """Read a source: `clip`, `rejection` or `error`, or what is wrong with how it ended."""
    from echokit import ClipError, ClipRef, EchokitError, Rejection, resolve

    try:
        if seed.loader == "recipe":
            from echokit.recipe import load_recipe

            load_recipe(str(source)).check_components()
            return "clip"
        loader = resolve("loader", seed.loader, source=str(source), limits=LIMITS)
        ends = set()
        for item in loader.index():
            if isinstance(item, Rejection):
                assert item.reason, "a rejection without a reason"
                ends.add("rejection")
                continue
            assert isinstance(item, ClipRef)
            try:
                clip = loader.read(item)
            except ClipError as error:
                ends.add("rejection" if str(error) else "silent")
                continue
            loader.fingerprint(item)
            assert clip.frames.dtype == np.uint8, "not uint8"
            assert clip.frames.ndim == 3, "not T H W"
            assert len(clip.frames) >= 2, "a still image"
            assert clip.fps is None or 0.1 <= clip.fps <= 2000, f"{clip.fps} frames a second"
            sizes = clip.spacing or (1.0,)
            assert all(1e-4 <= size <= 100 for size in sizes), f"pixels of {clip.spacing}"
            ends.add("clip")
    except EchokitError as error:
        return "error" if str(error) else "an error without a reason"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    if "silent" in ends:
        return "a rejection without a reason"
    return "clip" if "clip" in ends else "rejection" if ends else "nothing said"


def run(first: int, count: int) -> None:
    """Print one line of JSON for each case: number, seed, end and seconds."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    made = seeds()
    names, others = list(made), [seed.data for seed in made.values()]
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        for number in range(first, first + count):
            rng, seed = random.Random(number), made[names[number % len(names)]]
            print(json.dumps({"case": number, "begun": True}), flush=True)
            place = folder / str(number)
            place.mkdir()
            source = write(seed, place, damaged(seed, rng, others))
            began = time.process_time()
            end = outcome(seed, source)
            seconds = time.process_time() - began
            if seconds > SECONDS:
                end = f"it took {seconds:.1f} seconds"
            line = {"case": number, "seed": names[number % len(names)], "end": end}
            print(json.dumps(line | {"seconds": round(seconds, 3)}), flush=True)
            shutil.rmtree(place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]))
