"""A file that a folder or an archive holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, slots=True)
class Entry:
    """A file below a folder, or in an archive below it."""

    relative: PurePosixPath
    """Path below the folder; of a member of an archive that of the archive, then its own."""
    reason: str = ""
    """Why the file is refused without being opened; empty if it may be opened."""
    file: Path | None = None
    """Where a member of an archive is unpacked; None for a file of the folder."""
