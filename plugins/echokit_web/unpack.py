"""Unpack a ZIP archive within limits, in a process of its own: `python -m echokit_web.unpack`."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from echokit_web.naming import plain_name

PIECE = 1 << 20
MEMORY = 2 << 30
"""Bytes of memory that unpacking may take."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What became of an archive."""

    names: tuple[str, ...]
    """Names of the files that were written."""
    refused: str
    """Why the archive is refused as a whole; empty where it is not."""


def unpack(archive: Path, out: Path, first: int, files: int, size: int, seconds: int) -> Unpacked:
    """Unpack an archive into a folder in another process.

    Args:
        archive: the ZIP file.
        out: a folder; no name within the archive decides where anything is written.
        first: number of the first file.
        files: largest number of files.
        size: largest number of bytes of all of them.
        seconds: how long it may take.
    """
    command = [sys.executable, "-m", "echokit_web.unpack"]
    command += [str(archive), str(out), *map(str, (first, files, size, seconds))]
    try:
        done = subprocess.run(  # noqa: S603 - our own module, and paths that we made
            command, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return Unpacked((), f"unpacking it took more than {seconds} seconds")
    try:
        told = json.loads(done.stdout)
        return Unpacked(tuple(told["names"]), str(told["refused"]))
    except (ValueError, KeyError, TypeError):
        return Unpacked((), "it cannot be unpacked within 2 GB of memory, or is damaged")


def unpack_here(archive: Path, out: Path, first: int, files: int, size: int) -> Unpacked:
    """Unpack an archive within limits; see `unpack`."""
    names: list[str] = []
    left = size
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            members = [m for m in members if not _is_clutter(PurePosixPath(m.filename))]
            if len(members) > files:
                return Unpacked((), f"it holds {len(members)} files; at most {files} are taken")
            for number, member in enumerate(members, start=first):
                if member.flag_bits & 1:
                    return Unpacked(tuple(names), "it is encrypted; unpack it first")
                names.append(plain_name(number, member.filename))
                with opened.open(member) as source, (out / names[-1]).open("wb") as copy:
                    while piece := source.read(PIECE):
                        left -= len(piece)
                        if left < 0:
                            limit = f"{size / 1e6:.0f} MB"
                            return Unpacked(tuple(names), f"it holds more than {limit}")
                        copy.write(piece)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, zlib_error()) as error:
        return Unpacked(tuple(names), f"it is no sound ZIP archive ({type(error).__name__})")
    except (NotImplementedError, MemoryError) as error:
        return Unpacked(tuple(names), f"it cannot be unpacked ({type(error).__name__})")
    return Unpacked(tuple(names), "")


def zlib_error() -> type[Exception]:
    """The error of damaged compressed bytes."""
    import zlib

    return zlib.error


def _is_clutter(path: PurePosixPath) -> bool:
    """Whether a member is what a desktop adds to an archive."""
    return path.name.startswith(".") or "__MACOSX" in path.parts


def main() -> None:
    """Unpack what the arguments say, with hard limits, and print what became of it."""
    archive, out = Path(sys.argv[1]), Path(sys.argv[2])
    first, files, size, seconds = map(int, sys.argv[3:7])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    sys.stdout.write(json.dumps(asdict(unpack_here(archive, out, first, files, size))))


if __name__ == "__main__":
    main()
