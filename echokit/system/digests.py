"""Keep digests of the files of a folder, and find those that were changed since: `digests.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from echokit.system.checked import damaged, read_json
from echokit.system.files import write_json

NAME = "digests.json"
SEAL = "sha256"
"""Key of a sealed JSON file: the digest of everything else in it."""
WEIGHTS_DIGEST = "weights_sha256"
"""Key of the digest of the weights in the description of a network."""
CHANGED = "its content is not what was written"
MISSING = "it is missing"


class DamageWarning(UserWarning):
    """A file is damaged and is made again, or was written before digests were kept."""


def file_digest(path: Path) -> str:
    """Compute the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seal(document: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in document.items() if key != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def write_sealed(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON file that holds the digest of its own content."""
    write_json(path, {**document, SEAL: _seal(document)})


def read_sealed(path: Path, *keys: str) -> dict[str, Any]:
    """Read a JSON file that may hold the digest of its own content; those written before do not.

    Raises:
        DamagedError: the file is damaged, lacks a key, or its content is not what was written.
    """
    document: dict[str, Any] = dict(read_json(path, *keys))
    if document.pop(SEAL, None) not in (None, _seal(document)):
        raise damaged(path, CHANGED)
    return document


class Digests:
    """The digests of the files of one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, str] = {}
        """Path within the folder -> its digest."""

    @classmethod
    def read(cls, root: Path) -> Digests:
        """Read the digests of a folder; there are none in a folder of an earlier version.

        Raises:
            DamagedError: the file of digests is damaged.
        """
        found, path = cls(root), root / NAME
        if path.is_file():
            files = read_sealed(path, "files")["files"]
            if not isinstance(files, dict):
                raise damaged(path, "its 'files' is no object")
            found.files = files
        return found

    def record(self, patterns: Iterable[str], known: Mapping[str, str] | None = None) -> None:
        """Compute the digests of files anew and write them.

        Args:
            patterns: patterns of paths within the folder.
            known: digests that are known already, by path within the folder.
        """
        patterns, known = tuple(patterns), known or {}
        recorded = {k: v for k, v in self.files.items() if k not in self._recorded(patterns)}
        for path in self._present(patterns):
            name = path.relative_to(self.root).as_posix()
            recorded[name] = known.get(name) or file_digest(path)
        if recorded != self.files or not (self.root / NAME).is_file():
            self.files = recorded
            self._write()

    def forget(self, patterns: Iterable[str]) -> None:
        """Forget the digests of files that are about to change."""
        gone = self._recorded(patterns)
        if gone:
            self.files = {name: kept for name, kept in self.files.items() if name not in gone}
            self._write()

    def _write(self) -> None:
        write_sealed(self.root / NAME, {"schema": 1, "files": dict(sorted(self.files.items()))})

    def _present(self, patterns: Iterable[str]) -> list[Path]:
        found = {path for pattern in patterns for path in self.root.glob(pattern)}
        hidden = {
            p for p in found if any(part[0] == "." for part in p.relative_to(self.root).parts)
        }
        return sorted(p for p in found - hidden if p.is_file() and ".partial" not in p.name)

    def _recorded(self, patterns: Iterable[str]) -> set[str]:
        """Recorded files that match a pattern; `**` and `*` both stand for any path."""
        return {name for name in self.files for one in patterns if _matches(name, one)}

    def problem(self, name: str) -> str:
        """State what is wrong with a recorded file; empty if nothing is, or it has no digest."""
        expected, path = self.files.get(name), self.root / name
        if expected is None:
            return ""
        try:
            return "" if file_digest(path) == expected else CHANGED
        except FileNotFoundError:
            return MISSING
        except OSError as error:
            return error.strerror or str(error)

    def problems(self, patterns: Iterable[str]) -> dict[str, str]:
        """Return path within the folder -> what is wrong, of recorded files that match."""
        found = {name: self.problem(name) for name in sorted(self._recorded(patterns))}
        return {name: problem for name, problem in found.items() if problem}

    def require(self, *patterns: str, missing: bool = True) -> None:
        """Check files before they are used.

        Args:
            patterns: patterns of paths within the folder.
            missing: whether a file that is gone is refused too.

        Raises:
            DamagedError: one was changed since it was written.
        """
        for name, problem in self.problems(patterns).items():
            if missing or problem != MISSING:
                raise damaged(self.root / name, problem)


def _matches(name: str, pattern: str) -> bool:
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern.replace("**/", "*"))
