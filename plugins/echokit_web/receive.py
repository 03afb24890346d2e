"""Bring an upload to the disk, whole, before it is acknowledged."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from echokit import UsageError, whole_file
from echokit_web.guard import Limits
from echokit_web.naming import plain_name
from echokit_web.site import Site
from echokit_web.unpack import unpack

PIECE = 1 << 20
ZIP = b"PK\x03\x04"
"""What a ZIP archive begins with; NumPy's `.npz` files are such archives too."""


class Upload(Protocol):
    """A file of an upload."""

    @property
    def filename(self) -> str | None:
        """What the user calls it."""
        ...

    @property
    def file(self) -> BinaryIO:
        """Its content."""
        ...


def receive(site: Site, uploads: Sequence[Upload], user: str) -> str:
    """Keep the files of an upload as one study that waits to be judged.

    Args:
        site: the page.
        uploads: files and ZIP archives of them.
        user: who sends them.

    Returns:
        What the study is known by.

    Raises:
        UsageError: there is no file in it, or an archive is refused; nothing of it is kept.
    """
    study = f"s-{secrets.token_hex(6)}"
    try:
        names: list[str] = []
        for upload in uploads:
            names += _keep(site, study, upload, len(names) + 1)
        if not names:
            raise UsageError("The upload holds no file: choose clips, a folder of them, or a ZIP.")
        for name in names:
            path = site.folder.file(study, name)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            relative = path.relative_to(site.folder.path).as_posix()
            site.queue.receive(study, name[:4], relative, digest, source=user)
        site.queue.complete(study)
    except BaseException:
        site.queue.remove(study)
        site.folder.forget(study)
        raise
    return study


def _keep(site: Site, study: str, upload: Upload, number: int) -> list[str]:
    """Bring one file to the disk, or what is in an archive; return the names."""
    given = upload.filename or ""
    begins = upload.file.read(4)
    upload.file.seek(0)
    name = plain_name(number, given)
    if begins == ZIP and not name.endswith(".npz"):
        return _keep_archive(site, study, upload, number)
    _check_number(number, site.limits)
    with whole_file(site.folder.file(study, name)) as partial, partial.open("wb") as copy:
        shutil.copyfileobj(upload.file, copy, PIECE)
    return [name]


def _keep_archive(site: Site, study: str, upload: Upload, number: int) -> list[str]:
    limits = site.limits
    scratch = site.folder.path / "scratch" / secrets.token_hex(8)
    scratch.mkdir(0o700, parents=True)
    try:
        archive = scratch / "archive"
        with archive.open("wb") as copy:
            shutil.copyfileobj(upload.file, copy, PIECE)
        (inside := scratch / "inside").mkdir()
        left = limits.files - number + 1
        unpacked = unpack(archive, inside, number, left, limits.unpacked, limits.seconds)
        if unpacked.refused:
            raise UsageError(f"The ZIP archive is refused: {unpacked.refused}.")
        for name in unpacked.names:
            _move(inside / name, site.folder.file(study, name))
        return list(unpacked.names)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _move(source: Path, path: Path) -> None:
    """Bring a file to the disk at its final path."""
    with whole_file(path) as partial:
        source.rename(partial)


def _check_number(number: int, limits: Limits) -> None:
    if number > limits.files:
        raise UsageError(f"The upload holds more than {limits.files} files: send less at once.")
