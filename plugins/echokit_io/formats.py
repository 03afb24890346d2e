"""From a file to the module that reads its kind."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from echokit import Clip, ClipError
from echokit_io.facts import Facts
from echokit_io.recognise import recognise


def examine(path: Path) -> Facts:
    """What the head of a clip's file says; no pixels are decoded.

    Raises:
        ClipError: the file cannot be a clip; the message is the reason.
    """
    kind = recognise(path)
    try:
        facts: Facts = import_module(f"echokit_io.{kind}").examine(path)
    except OSError as error:
        raise ClipError(_unreadable(error)) from None
    return facts


def read(path: Path) -> Clip:
    """Read the clip that a file holds, as grey uint8 frames (T, H, W).

    Raises:
        ClipError: it cannot be read; the message is the reason.
    """
    kind = recognise(path)
    try:
        clip: Clip = import_module(f"echokit_io.{kind}").read(path)
    except OSError as error:
        raise ClipError(_unreadable(error)) from None
    return clip


def _unreadable(error: OSError) -> str:
    return f"it cannot be read: {error.strerror or type(error).__name__}"
