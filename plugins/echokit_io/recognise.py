"""Recognition of a file's kind by its first bytes; other files are refused with a reason."""

from __future__ import annotations

import errno
import os
import stat
import zipfile
from pathlib import Path
from typing import BinaryIO, Literal

from echokit import ClipError

Kind = Literal["dicom", "video", "arrays", "nifti"]

NPY = b"\x93NUMPY"
HEAD = 352
"""Number of first bytes that are read: up to the magic word of a NIfTI-1 header."""

CONTAINERS = (
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "asf"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
    (8, b"AVI ", "avi"),
    *((4, atom, "mov") for atom in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")),
)
"""(offset, magic bytes, FFmpeg demuxer). FFmpeg is always given the demuxer and never guesses it: a
playlist disguised as a video could otherwise make it open other files and addresses."""

NOT_CLIPS = (
    (b"\x89PNG", "it is a still image (PNG), not a clip"),
    (b"\xff\xd8\xff", "it is a still image (JPEG), not a clip"),
    (b"GIF8", "it is a GIF, which is not read; convert it to MP4 or AVI"),
    (b"BM", "it is a still image (BMP), not a clip"),
    (b"II*\x00", "it is a still image (TIFF), not a clip"),
    (b"MM\x00*", "it is a still image (TIFF), not a clip"),
    (b"%PDF", "it is a PDF document, not a clip"),
    (b"PK\x03\x04", "it is a ZIP archive or an office document, not a clip; unpack it first"),
    (b"\x1f\x8b", "it is a gzip archive, not a clip; unpack it first"),
    (b"\x80\x04\x95", "it is a Python pickle, which is never opened; save the frames as .npy"),
    (b"\x80\x05\x95", "it is a Python pickle, which is never opened; save the frames as .npy"),
)
"""(magic bytes, why such a file is refused)."""

BY_SUFFIX = {
    ".csv": "it is a table, not a clip; give it as the source to use it as a manifest",
    ".tsv": "it is a table, not a clip",
    **dict.fromkeys(
        (".dcm", ".dicom", ".ima"), "it is not a DICOM file: no DICM marker at byte 128"
    ),
    **dict.fromkeys(
        (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".mpg"),
        "it is not a video: its first bytes are those of no known container",
    ),
    ".npy": "it is not a NumPy array: its first bytes are not NUMPY",
    ".npz": "it is not a NumPy archive: its first bytes are not those of a ZIP file",
}
"""Suffix -> why a file is refused whose content is not what its suffix states."""

CLIP_SUFFIXES = frozenset(BY_SUFFIX) - {".csv", ".tsv"} | {".nii"}
"""Suffixes that are cut off to name a clip."""


def stem(name: str) -> str:
    """Cut a clip's suffix off a file's name; the dots of a DICOM UID are not suffixes."""
    name = name[:-3] if name.lower().endswith(".nii.gz") else name
    base, dot, suffix = name.rpartition(".")
    return base if base and f"{dot}{suffix}".lower() in CLIP_SUFFIXES else name


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file; refuses a FIFO, socket or device without opening it.

    Raises:
        ClipError: the file is not regular, or cannot be opened; the message is the reason.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ClipError(f"it is {_special(mode)}, not a regular file")
        # should the file become a FIFO meanwhile, opening it without O_NONBLOCK would wait forever
        return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")
    except OSError as error:
        raise ClipError(_cannot_open(path, error)) from None
    except ValueError:
        raise ClipError("its name holds a NUL character, so there can be no such file") from None


def recognise(path: Path) -> Kind:
    """Recognise the kind of a clip's file.

    Raises:
        ClipError: the file is not a clip; the message says what it is.
    """
    with open_regular(path) as file:
        head = file.read(HEAD)
    if not head:
        raise ClipError("it is empty")
    if head[128:132] == b"DICM" or _headless_dicom(head):
        return "dicom"
    if demuxer(head):
        return "video"
    if head.startswith(NPY) or (head.startswith(b"PK\x03\x04") and holds_arrays(path)):
        return "arrays"
    if head[344:348] in (b"n+1\x00", b"ni1\x00") or path.name.lower().endswith(".nii.gz"):
        return "nifti"
    reason = next((reason for magic, reason in NOT_CLIPS if head.startswith(magic)), "")
    suffix = path.suffix.lower()
    unknown = "it is not a clip: by its first bytes neither DICOM, video, NumPy nor NIfTI"
    raise ClipError(reason or BY_SUFFIX.get(suffix, unknown))


def demuxer(head: bytes) -> str:
    """Find the FFmpeg demuxer for a video's first bytes; empty if the container is unknown."""
    for offset, magic, name in CONTAINERS:
        if head[offset : offset + len(magic)] == magic:
            return name if name != "avi" or head.startswith(b"RIFF") else ""
    return ""


def _headless_dicom(head: bytes) -> bool:
    """Recognise a DICOM data set without preamble: it starts with an element of group 2 or 8."""
    # the first elements have one of these value representations, or a length below 65536
    explicit = head[4:6] in (b"UL", b"UI", b"CS", b"SH", b"OB")
    implicit = head[:2] == b"\x08\x00" and head[6:8] == b"\x00\x00"
    little = head[:2] in (b"\x02\x00", b"\x08\x00") and head[3:4] == b"\x00"
    big = head[:2] in (b"\x00\x02", b"\x00\x08") and head[2:3] == b"\x00"
    return (little and (explicit or implicit)) or (big and explicit)


def is_tar(head: bytes) -> bool:
    """Tell whether the first bytes are those of a tar archive (POSIX or GNU)."""
    return head[257:262] == b"ustar"


def holds_arrays(path: Path) -> bool:
    """Tell whether a ZIP is a NumPy archive, by its members."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        # a damaged archive: as a NumPy file its reason says more than "a ZIP archive"
        return path.suffix.lower() == ".npz"
    return bool(members) and all(name.endswith(".npy") for name in members)


def _special(mode: int) -> str:
    kinds = {
        stat.S_ISDIR: "a folder",
        stat.S_ISFIFO: "a FIFO",
        stat.S_ISSOCK: "a socket",
        stat.S_ISCHR: "a device",
        stat.S_ISBLK: "a device",
    }
    return next((name for test, name in kinds.items() if test(mode)), "a special file")


def _cannot_open(path: Path, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "it is a link that leads in a circle"
    if error.errno == errno.ENOENT:
        return "it is a link to nothing" if path.is_symlink() else "there is no such file"
    return f"it cannot be opened: {error.strerror or type(error).__name__}"
