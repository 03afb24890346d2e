"""Archives: what a ZIP or tar holds is unpacked into a private temporary folder, and no more.

Members are written under numbers, so that no name can lead out of the folder. What an archive
states of its members' sizes is not believed: what is unpacked is counted.
"""

from __future__ import annotations

import gzip
import stat
import tarfile
import weakref
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path, PurePosixPath
from typing import Any, final

from echokit import ClipError, scratch_folder
from echokit_io.archive_kind import DAMAGED, archive_kind, check_directory, unzipped
from echokit_io.budget import MB, Budget
from echokit_io.entry import Entry
from echokit_io.recognise import open_regular

BLOCK = 1 << 20
"""Bytes that are unpacked at once."""
MOST = 200_000
"""Largest number of members of an archive."""
LARGEST_READ = 4 * MB
"""Largest number of bytes that a tar's header may ask for at once."""


@final
class Archives:
    """Unpacks archives, each once, as long as it is kept; the files are removed with it."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._unpacked: dict[Path, list[Entry]] = {}
        self._bytes = 0
        self._folder: Path | None = None
        self._count = 0

    def __getstate__(self) -> dict[str, Any]:
        """Give another process the files; this one removes them."""
        return {"budget": self.budget, "_unpacked": self._unpacked, "_bytes": self._bytes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _folder=None, _count=0)

    def expand(self, root: Path, entry: Entry) -> Iterator[Entry]:
        """List the members of a file that is an archive; any other file is listed as it is."""
        path = root / entry.relative
        try:
            kind = "" if entry.reason else archive_kind(path)
            if not kind:
                yield entry
                return
            members = self._members(path, kind)
        except ClipError as error:
            yield Entry(entry.relative, str(error))
            return
        for member in members:
            yield Entry(entry.relative / member.relative, member.reason, member.file)

    def find(self, root: Path, where: PurePosixPath) -> Path:
        """Return the file of a member by its address below `root`; unpacks its archive if need be.

        Raises:
            ClipError: there is no such member.
        """
        for depth in range(1, len(where.parts)):
            path = root.joinpath(*where.parts[:depth])
            if path.is_file() and (kind := archive_kind(path)):
                inside = PurePosixPath(*where.parts[depth:])
                for member in self._members(path, kind):
                    if member.relative == inside and member.file is not None:
                        return member.file
        raise ClipError("there is no such file")

    def _members(self, path: Path, kind: str) -> list[Entry]:
        known = self._unpacked.get(path)
        if known is not None and all(m.file is None or m.file.exists() for m in known):
            return known
        before, first = self._bytes, self._count
        try:
            unpacked = [*(self._zip(path) if kind == "zip" else self._tar(path))]
        except (*DAMAGED, OSError, ClipError) as error:
            self._discard(first)
            self._bytes = before
            if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
                raise  # such as a full disk
            if isinstance(error, ClipError):
                raise
            raise ClipError(f"it is a damaged archive ({type(error).__name__})") from None
        self._unpacked[path] = sorted(unpacked, key=lambda member: member.relative)
        return self._unpacked[path]

    def _discard(self, first: int) -> None:
        """Remove the files of an archive that is refused."""
        for number in range(first + 1, self._count + 1):
            for path in self._folder.glob(f"{number}*") if self._folder else ():
                if path.name.split(".")[0] == str(number):
                    path.unlink()

    def _zip(self, path: Path) -> Iterator[Entry]:
        with open_regular(path) as file:
            check_directory(file)
            with zipfile.ZipFile(file) as archive:
                seen = set[PurePosixPath]()
                for member in archive.infolist():
                    if member.is_dir():
                        continue
                    if stat.S_ISLNK(member.external_attr >> 16):
                        yield Entry(_safe(member.filename)[0], "it is a link in an archive")
                        continue
                    yield self._entry(member.filename, lambda m=member: archive.open(m), seen)

    def _tar(self, path: Path) -> Iterator[Entry]:
        with open_regular(path) as file, closing(unzipped(file)) as plain:
            source: Any = _Careful(plain)
            with tarfile.open(fileobj=source, mode="r:") as archive:
                seen = set[PurePosixPath]()
                for number, member in enumerate(archive):
                    if number >= MOST:
                        raise ClipError(f"it is an archive of more than {MOST:,} files; unpack it")
                    if member.isdir():
                        continue
                    if not member.isreg() or member.issparse():
                        reason = "it is a link, a device or a sparse file in an archive"
                        yield Entry(_safe(member.name)[0], reason)
                        continue
                    yield self._entry(member.name, lambda m=member: archive.extractfile(m), seen)

    def _entry(self, name: str, opened: Any, seen: set[PurePosixPath]) -> Entry:
        """Unpack one member, or say why it is not."""
        relative, reason = _safe(name)
        if not reason and relative in seen:
            reason = "its archive holds another file of this name"
        seen.add(relative)
        if reason:
            return Entry(relative, reason)
        target = self._new(relative)
        try:
            with opened() as source, target.open("xb") as written:
                self._copy(source, written)
        except (*DAMAGED, NotImplementedError) as error:
            target.unlink()
            encrypted = "password" in str(error) or "encrypted" in str(error)
            kind = "is encrypted" if encrypted else f"cannot be unpacked ({type(error).__name__})"
            return Entry(relative, f"it {kind}; unpack the archive yourself")
        except _TooLarge as error:
            self._bytes -= target.stat().st_size
            target.unlink()
            return Entry(relative, str(error))
        return Entry(relative, file=target)

    def _copy(self, source: Any, written: Any) -> None:
        size, limit = 0, self.budget.unpacked * MB
        while block := source.read(BLOCK):
            size += len(block)
            self._bytes += len(block)
            if self._bytes > limit:
                raise ClipError(
                    f"archives unpack to more than the {self.budget.unpacked:,.0f} MB that are "
                    "allowed; if they are sound, unpack them yourself, or allow more with the "
                    "option limits of the loader "
                    f"(--set study.limits.unpacked={4 * self.budget.unpacked:.0f})"
                )
            written.write(block)
            if size > self.budget.bytes:
                raise _TooLarge(
                    f"it unpacks to more than the {self.budget.memory:,.0f} MB of memory that are "
                    "allowed for a clip (--set study.limits.memory=...)"
                )

    def _new(self, relative: PurePosixPath) -> Path:
        if self._folder is None:
            stack = ExitStack()
            self._folder = stack.enter_context(scratch_folder())
            weakref.finalize(self, stack.close)
        self._count += 1
        # readers look at these suffixes
        name = relative.name.lower()
        suffix = ".nii.gz" if name.endswith(".nii.gz") else relative.suffix.lower()
        kept = suffix if suffix.replace(".", "").isalnum() and len(suffix) < 9 else ""
        return self._folder / f"{self._count}{kept}"


class _TooLarge(Exception):  # noqa: N818 - the reason of one member
    """Raised where a member is larger than any clip may be."""


@final
class _Careful:
    """A file whose reads are of a size that no header has to exceed."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def read(self, size: int = -1) -> bytes:
        """Read bytes.

        Raises:
            ClipError: more are asked for than any header or block of a tar needs.
        """
        if not 0 <= size <= LARGEST_READ:
            raise ClipError("it is a damaged archive: a header of it is absurdly large")
        data: bytes = self.file.read(size)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move in the file."""
        return int(self.file.seek(offset, whence))

    def tell(self) -> int:
        """Return the position in the file."""
        return int(self.file.tell())


def _safe(name: str) -> tuple[PurePosixPath, str]:
    """Return the path of a member below its archive, and why it is not unpacked."""
    clean = name.replace("\\", "/").replace("\0", "?").encode("utf-8", "backslashreplace").decode()
    parts = [part for part in clean.split("/") if part not in ("", ".")]
    reason = ""
    if clean.startswith("/") or ".." in parts or (parts and parts[0][1:2] == ":"):
        reason = "its name leads out of the archive"
        parts = [part for part in parts if part != ".."]
    elif any(part.startswith(".") for part in parts):
        reason = "it is hidden: a part of its name begins with a dot"
    return PurePosixPath(*parts) if parts else PurePosixPath("unnamed"), reason
