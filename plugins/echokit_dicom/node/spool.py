"""The folder of a node: files that were received, results, and the queue.

```text
node/
  queue.sqlite      studies, files and the audit log
  token             who may say that a study is complete, mode 0600
  lock              held by the node that works here
  scratch/          files that are being received, and what predicting needs for a moment
  files/<study>/<file>.dcm
  results/<study>/<writer>/
```

Names of folders and files are digests of UIDs, so that nobody is named and nothing leaves it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from echokit import UsageError, whole_file

PRIVATE = 0o700


class Spool:
    """The folder of a node."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, which only its owner may open."""
        self.folder = folder
        folder.mkdir(PRIVATE, parents=True, exist_ok=True)
        for name in ("files", "results"):
            (folder / name).mkdir(PRIVATE, exist_ok=True)

    @property
    def queue(self) -> Path:
        """The file of the queue, where it is in SQLite."""
        return self.folder / "queue.sqlite"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one node while the block runs; the system ends it with the process.

        Raises:
            UsageError: another node works in it.
        """
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError(
                    f"Another node works in {self.folder}. Stop that one, or give this one a "
                    "[node] folder of its own."
                ) from None
            yield

    def scratch(self) -> Path:
        """Folder for files of a moment; what a killed node left there, or half written, goes."""
        folder = self.folder / "scratch"
        shutil.rmtree(folder, ignore_errors=True)
        for half in (*self.folder.glob("results/.*"), *self.folder.glob("files/*/.*")):
            if half.is_dir():
                shutil.rmtree(half, ignore_errors=True)
            else:
                half.unlink(missing_ok=True)
        folder.mkdir(PRIVATE)
        return folder

    def keep(self, study: str, instance: str, received: Path) -> tuple[str, str]:
        """Bring a file to the disk, whole or not at all.

        Args:
            study: its StudyInstanceUID.
            instance: its SOPInstanceUID.
            received: where it was received.

        Returns:
            Its path below the folder, and its SHA-256.

        Raises:
            OSError: it cannot be written.
        """
        file = self.files(study) / f"{_key(instance)}.dcm"
        file.parent.mkdir(PRIVATE, exist_ok=True)
        digest = hashlib.sha256()
        with whole_file(file) as partial, received.open("rb") as source, partial.open("wb") as copy:
            while piece := source.read(1 << 20):
                digest.update(piece)
                copy.write(piece)
        return file.relative_to(self.folder).as_posix(), digest.hexdigest()

    def files(self, study: str) -> Path:
        """Folder of the files of a study."""
        return self.folder / "files" / _key(study)

    def result(self, study: str) -> Path:
        """Folder of the result of a study."""
        return self.folder / "results" / _key(study)

    def forget(self, study: str) -> None:
        """Remove the files of a study."""
        shutil.rmtree(self.files(study), ignore_errors=True)

    def token(self) -> str:
        """The secret of who may say that a study is complete; made at first."""
        path = self.folder / "token"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text("ascii").strip()
        with os.fdopen(descriptor, "w") as file:
            file.write(made := secrets.token_urlsafe(32))
        return made


def _key(uid: str) -> str:
    """A name for a UID that is safe as that of a file."""
    return hashlib.sha256(uid.encode()).hexdigest()[:32]
