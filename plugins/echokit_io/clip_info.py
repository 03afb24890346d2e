"""Information about a clip that is read from the head of its file, without its pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """Patient, views and origin of a clip, as its file states them."""

    patient: str | None = None
    """The patient's identifier in the file; it must be hashed before it is shown or stored."""
    names: tuple[str, ...] = ()
    """Words that a clip's identifier must not show: the patient's name and identifier."""
    views: tuple[str, ...] = ()
    """Names of the view in the file, the most reliable first; some may not be views."""
    texts: tuple[str, ...] = ()
    """What the file says of the view as it is written, for a user's rules."""
    study: str = ""
    """Date of the examination, else its identifier; empty where the file says neither. It must be
    hashed before it is shown or stored."""
    synthetic: bool = False
    """True if the file states that it is simulated."""
    colour: bool = False
    """True if the file states that it shows colour Doppler."""
