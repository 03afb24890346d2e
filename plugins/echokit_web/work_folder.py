"""The folder of a page: files that were dropped, results, and the queue.

```text
page/
  queue.sqlite              studies, files, corrections, readings, and the audit log
  token                     for programs, mode 0600
  lock                      held by the server
  files/<study>/<study>/    0001.dcm, 0002-A4C.mp4: numbered as they came
  excluded/<study>/         files that a user excluded
  results/<study>/          prediction.json, saliency/, index.html, clips.json, clips/
  scratch/                  files of a moment
```

No name that a user gave a file is kept, but for the word of a view in it: it may name a patient.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

from echokit import UsageError

PRIVATE = 0o700
STUDY = re.compile(r"[a-z0-9-]{1,40}")
"""What a study of the page is known by."""
NUMBER = re.compile(r"[0-9]{4}")
"""What a file is known by within its study."""


class WorkFolder:
    """The folder of a page; only its owner may open it."""

    def __init__(self, path: Path) -> None:
        """Make the folder, and the folders in it."""
        self.path = path
        path.mkdir(PRIVATE, parents=True, exist_ok=True)
        path.chmod(PRIVATE)
        for name in ("files", "excluded", "results"):
            (path / name).mkdir(PRIVATE, exist_ok=True)

    def lock(self) -> IO[str]:
        """Hold the folder for one server; the file that is returned must stay open.

        Raises:
            UsageError: another server holds it.
        """
        file = (self.path / "lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise UsageError(
                f"Another page works in {self.path}. Open that one, or choose another folder "
                "with --folder."
            ) from None
        return file

    def scratch(self) -> Path:
        """Folder for files of a moment; what a killed server left there, or half written, goes."""
        folder = self.path / "scratch"
        shutil.rmtree(folder, ignore_errors=True)
        for half in (*self.path.glob("results/.*"), *self.path.glob("files/*/*/.*")):
            if half.is_dir():
                shutil.rmtree(half, ignore_errors=True)
            else:
                half.unlink(missing_ok=True)
        folder.mkdir(PRIVATE)
        return folder

    @property
    def queue(self) -> Path:
        """The file of the queue, where it is in SQLite."""
        return self.path / "queue.sqlite"

    def source(self, study: str) -> Path:
        """The folder that is judged as a study."""
        return self.path / "files" / study

    def result(self, study: str) -> Path:
        """The folder of the result of a study."""
        return self.path / "results" / study

    def file(self, study: str, name: str) -> Path:
        """Where a file of a study is written. A folder in between stands for the patient."""
        folder = self.source(study) / study
        folder.mkdir(PRIVATE, parents=True, exist_ok=True)
        return folder / name

    def listing(self, study: str) -> list[str]:
        """Names of the files that are judged, in their order."""
        folder = self.source(study) / study
        return sorted(path.name for path in folder.glob("[0-9]*")) if folder.is_dir() else []

    def excluded(self, study: str) -> list[str]:
        """Names of the files that a user excluded."""
        return sorted(path.name for path in (self.path / "excluded" / study).glob("[0-9]*"))

    def exclude(self, study: str, numbers: Collection[str]) -> None:
        """Move files, so that all but those of these numbers are judged."""
        judged, apart = self.source(study) / study, self.path / "excluded" / study
        judged.mkdir(PRIVATE, parents=True, exist_ok=True)
        apart.mkdir(PRIVATE, exist_ok=True)
        for name in self.listing(study):
            if name[:4] in numbers:
                (judged / name).rename(apart / name)
        for name in self.excluded(study):
            if name[:4] not in numbers:
                (apart / name).rename(judged / name)

    def forget(self, study: str) -> None:
        """Remove a study's files and result."""
        for name in ("files", "excluded", "results"):
            shutil.rmtree(self.path / name / study, ignore_errors=True)

    def read(self, study: str, name: str) -> dict[str, Any]:
        """Read a JSON file of a result; empty where there is none."""
        try:
            found = json.loads((self.result(study) / name).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def token(self) -> str:
        """The secret of programs; made at first."""
        path = self.path / "token"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text("ascii").strip()
        with os.fdopen(descriptor, "w") as file:
            file.write(made := secrets.token_urlsafe(32))
        return made
