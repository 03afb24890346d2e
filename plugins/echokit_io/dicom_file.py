"""Opening a DICOM file so that parsing its header costs no more than a header may.

pydicom inflates a deflated data set whole, and reads elements of any size and number. It is handed
files that count what it reads.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, final

from pydicom.filereader import read_partial

from echokit import ClipError
from echokit_io.budget import MB, Budget
from echokit_io.decoder_messages import muted_decoders
from echokit_io.recognise import open_regular

LARGEST_VALUE = 4 * MB
"""Largest number of bytes of one element's value before the pixels; a palette has 400 kB."""
READS = 1_000_000
"""Largest number of reads of a header; each element takes two to four."""
BLOCK = 1 << 18
"""Bytes that are inflated at once."""
_SYNTAX = b"1.2.840.10008.1.2.1\0"
_PLAIN = bytes(128) + b"DICM" + struct.pack("<HH2sH", 2, 0x10, b"UI", len(_SYNTAX)) + _SYNTAX
"""What comes before an inflated data set: its transfer syntax is Explicit VR Little Endian."""


class _Deflated(Exception):  # noqa: N818 - no error: pydicom has found a deflated data set
    """Raised where pydicom is about to inflate a data set."""


@final
class CountedFile:
    """A file that gives a header what it needs, and nothing endless."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._reads = 0

    def read(self, size: int = -1) -> bytes:
        """Read bytes of the header.

        Raises:
            ClipError: a value is larger, or there are more elements, than in any header.
        """
        self._reads += 1
        if size < 0:
            raise _Deflated
        if size > LARGEST_VALUE:
            raise ClipError(
                f"its DICOM header states a value of {size:,} bytes, more than "
                f"{LARGEST_VALUE:,}: it is damaged"
            )
        if self._reads > READS:
            raise ClipError(f"its DICOM header has more than {READS // 4:,} elements")
        return self.file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move in the file."""
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position in the file."""
        return self.file.tell()


@contextmanager
def open_dicom(path: Path, budget: Budget) -> Iterator[BinaryIO]:
    """Open a DICOM file; a deflated data set is inflated into memory as far as is allowed.

    Raises:
        ClipError: the file cannot be opened, or inflates to more than is allowed.
    """
    with open_regular(path) as file:
        if not _is_deflated(file):
            file.seek(0)
            yield file
            return
        yield _inflated(file, budget)  # the file stands at the deflated data set


def _is_deflated(file: BinaryIO) -> bool:
    """Tell whether pydicom would inflate a file; if so, the file is left where it begins."""
    try:
        with muted_decoders():
            read_partial(
                CountedFile(file),  # type: ignore[arg-type]
                stop_when=lambda *_: True,
                force=True,
            )
    except _Deflated:
        return True
    except OSError:
        raise
    except Exception:  # the header is damaged: reading it will say so
        return False
    return False


def _inflated(file: BinaryIO, budget: Budget) -> BinaryIO:
    plain, inflate, clock = BytesIO(), zlib.decompressobj(-zlib.MAX_WBITS), budget.start()
    plain.write(_PLAIN)
    try:
        while not inflate.eof and (packed := file.read(BLOCK)):
            while packed and not inflate.eof:
                plain.write(inflate.decompress(packed, BLOCK))
                packed = inflate.unconsumed_tail
                large = "its deflated data set is large when unpacked"
                budget.check_memory(plain.tell(), large, ends=False)
                clock.check()
    except zlib.error:
        raise ClipError("its deflated data set is damaged") from None
    plain.seek(0)
    return plain
