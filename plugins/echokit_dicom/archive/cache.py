"""Clips that have arrived: a private folder of files whose names tell nothing."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

from echokit import UsageError
from echokit_dicom.archive.archive import Place

FOLDER = "ECHOKIT_ARCHIVE_CACHE"
"""Environment variable: the folder, by default `~/.cache/echokit/archive`."""
SUFFIX = ".dcm"
LETTERS = "jqyz"
"""What names consist of, two bits each: a user's `view_rules` are searched in paths too, and `4c`
or `long` may stand in a digest of other letters."""


class Cache:
    """Files of instances, which their owner alone may read."""

    def __init__(self, folder: Path, days: float) -> None:
        """Open a cache, and remove what is old.

        Args:
            folder: it is made with mode 0700.
            days: files that were not asked for in as many days are removed.

        Raises:
            UsageError: the folder cannot be made private.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if folder.stat().st_mode & 0o077:
                folder.chmod(0o700)
        except OSError as error:
            raise UsageError(
                f"The cache of an archive's clips, {folder}, cannot be used ({error.strerror}): "
                f"set {FOLDER} to a folder that is yours."
            ) from None
        self._sweep(days)

    @classmethod
    def at(cls, folder: str, days: float) -> Cache:
        """Open the cache in a folder, or where the environment says."""
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        usual = os.environ.get(FOLDER) or home / "echokit" / "archive"
        return cls(Path(folder or usual).expanduser(), days)

    def path(self, place: Place) -> Path:
        """Return where the file of an instance is, or is to be."""
        text = "\0".join((place.study, place.series, place.instance))
        digest = hashlib.sha256(text.encode()).digest()[:16]
        name = "".join(LETTERS[byte >> shift & 3] for byte in digest for shift in (6, 4, 2, 0))
        return self.folder / f"{name}{SUFFIX}"

    def has(self, place: Place) -> bool:
        """Say whether an instance has arrived, and keep its file for longer if so."""
        path = self.path(place)
        if not path.is_file():
            return False
        with suppress(OSError):
            os.utime(path)
        return True

    def _sweep(self, days: float) -> None:
        oldest = time.time() - 86400 * days
        for path in self.folder.glob(f"*{SUFFIX}"):
            with suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
