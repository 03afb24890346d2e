"""Recognition of archives, by their first bytes and never by the suffix."""

from __future__ import annotations

import bz2
import gzip
import tarfile
import zipfile
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

from echokit import ClipError
from echokit_io.budget import MB
from echokit_io.recognise import HEAD, holds_arrays, is_tar, open_regular

DIRECTORY = 64 * MB
"""Largest number of bytes of a ZIP's directory, which is read whole."""
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, RuntimeError)
"""What the libraries raise about a damaged archive; RuntimeError also about an encrypted one."""
_END, _END_64, _LOCATOR_64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"


def archive_kind(path: Path) -> str:
    """Recognise an archive: `zip` or `tar`, the latter also compressed; empty for any other file.

    Raises:
        ClipError: the file cannot be opened; the message is the reason.
    """
    with open_regular(path) as file:
        try:
            head = file.read(HEAD)
        except OSError:
            return ""  # whoever reads it will say why
        if head.startswith(b"PK\x03\x04"):
            return "" if holds_arrays(path) or _is_office(path) else "zip"
        if is_tar(head):
            return "tar"
        if not head.startswith((b"\x1f\x8b", b"BZh")) or path.name.lower().endswith(".nii.gz"):
            return ""
        file.seek(0)
        try:
            with closing(unzipped(file)) as plain:
                return "tar" if is_tar(plain.read(HEAD)) else ""
        except (OSError, EOFError, zlib.error, ValueError):
            return ""


def unzipped(file: BinaryIO) -> Any:
    """Return the plain bytes of a file that may be compressed, as a file."""
    head = file.read(3)
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    return bz2.BZ2File(file) if head == b"BZh" else file


def _is_office(path: Path) -> bool:
    """Tell whether a ZIP is a document of an office program."""
    try:
        with open_regular(path) as file:
            check_directory(file)
            with zipfile.ZipFile(file) as archive:
                return "[Content_Types].xml" in archive.NameToInfo
    except (*DAMAGED, NotImplementedError):
        return False


def check_directory(file: BinaryIO) -> None:
    """Refuse a ZIP whose directory, which is read whole, is absurdly large.

    Raises:
        ClipError: it is.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))  # the end record and the longest comment
    tail = file.read()
    at = tail.rfind(_END)
    length = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    locator = tail.rfind(_LOCATOR_64, 0, max(at, 0))
    if locator >= 0:
        file.seek(int.from_bytes(tail[locator + 8 : locator + 16], "little") % (size + 1))
        record = file.read(56)
        if record.startswith(_END_64):
            length = int.from_bytes(record[40:48], "little")
    file.seek(0)
    if length > DIRECTORY:
        raise ClipError(f"it is an archive with a directory of {length:,} bytes; unpack it")
