"""What the head of a clip's file tells before its pixels are read."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST = 4 * 2**30
"""Most bytes of grey pixels that one clip may have; a damaged header can claim any number."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of its clip."""

    patient: str | None = None
    """The patient's identifier as the file has it; to be hashed before it goes anywhere."""
    names: tuple[str, ...] = ()
    """Words that a clip's identifier must not show: the patient's name and identifier."""
    views: tuple[str, ...] = ()
    """What the file calls its view, the most trusted word first; not all may be views."""
    synthetic: bool = False
    """True where the file says that it is simulated."""
