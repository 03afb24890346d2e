"""XML of a document that may be hostile, parsed without a tree and with limits.

Some kilobytes unpack to gigabytes: so what is unpacked, the elements and the texts are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO, Any
from xml.parsers import expat

from echokit import ClipError
from echokit_io.budget import Clock

ELEMENTS = 2_000_000
"""Largest number of elements of a part; a cell takes two or three."""
CHARACTERS = 32_000_000
"""Largest number of characters of the texts of a part."""
PART = 200_000_000
"""Largest number of bytes of a part when unpacked."""
BLOCK = 1 << 16
"""Bytes that are unpacked at once."""


class Damaged(Exception):  # noqa: N818 - becomes a DataError that names the file
    """Raised where a part is none of a workbook's; the message is the reason."""


def parse(
    file: IO[bytes],
    name: str,
    start: Callable[[str, Mapping[str, str]], None] | None,
    end: Callable[[str, str], None] | None,
    texts: Mapping[str, set[str]],
    clock: Clock,
) -> None:
    """Parse a part of a document.

    Args:
        file: the part, which may be unpacked while it is read.
        name: its name, for errors.
        start: told of each element: its name without namespace, and its attributes.
        end: told of each element of `texts` when it ends: its name and text.
        texts: element -> the elements inside it whose characters are its text.
        clock: the time of the document.

    Raises:
        Damaged: it is larger than any such part is, defines entities, or takes too long.
    """
    counting = _Counting(start, end, texts)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = counting.start
    parser.EndElementHandler = counting.end
    parser.CharacterDataHandler = counting.characters
    unpacked = 0
    while block := file.read(BLOCK):
        unpacked += len(block)
        if unpacked > min(PART, clock.budget.bytes):
            raise Damaged(f"its {name} unpacks to more than any has")
        parser.Parse(block, False)
        try:
            clock.check()
        except ClipError:
            raise Damaged(f"it takes more than {clock.budget.seconds:g} seconds") from None
    parser.Parse(b"", True)


class _Counting:
    """Hands on what a parser finds, as long as it is no more than a workbook has."""

    def __init__(
        self,
        start: Callable[[str, Mapping[str, str]], None] | None,
        end: Callable[[str, str], None] | None,
        texts: Mapping[str, set[str]],
    ) -> None:
        self._start, self._end, self._texts = start, end, texts
        self._elements = self._characters = 0
        self._path: list[str] = []
        self._pieces: list[str] = []
        self._wanted: set[str] = set()

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        self._elements += 1
        if self._elements > ELEMENTS:
            raise Damaged(f"it has more than {ELEMENTS:,} elements")
        self._path.append(name)
        if name in self._texts:
            self._pieces, self._wanted = [], self._texts[name]
        if self._start is not None:
            self._start(name, attributes)

    def characters(self, text: str) -> None:
        if self._path[-1] in self._wanted and "rPh" not in self._path[-2:]:  # no readings of kanji
            self._characters += len(text)
            if self._characters > CHARACTERS:
                raise Damaged(f"it has more than {CHARACTERS:,} characters")
            self._pieces.append(text)

    def end(self, tag: str) -> None:
        name = self._path.pop()
        if name in self._texts and self._end is not None:
            self._end(name, "".join(self._pieces))


def _refuse_doctype(*_: Any) -> None:
    raise Damaged("it defines entities")
