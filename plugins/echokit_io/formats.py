"""Choice of the module that reads a file, by the file's kind."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from echokit import Clip, ClipError
from echokit_io.clip_info import ClipInfo
from echokit_io.colour import Colour
from echokit_io.recognise import recognise


def examine(path: Path) -> ClipInfo:
    """Read information about a clip from the head of its file; decodes no pixels.

    Raises:
        ClipError: the file is not a clip; the message is the reason.
    """
    kind = recognise(path)
    try:
        info: ClipInfo = import_module(f"echokit_io.{kind}").examine(path)
    except OSError as error:
        raise ClipError(_unreadable(error)) from None
    return info


IN_COLOUR = ("dicom", "video")
"""Kinds of files in which colour Doppler is looked for."""


def read(path: Path, colour: Colour = "refuse") -> Clip:
    """Read the clip of a file as grey uint8 frames (T, H, W).

    Args:
        path: the file.
        colour: what happens to clips with colour Doppler.

    Raises:
        ClipError: it cannot be read; the message is the reason.
    """
    kind = recognise(path)
    try:
        options = {"colour": colour} if kind in IN_COLOUR else {}
        clip: Clip = import_module(f"echokit_io.{kind}").read(path, **options)
    except OSError as error:
        raise ClipError(_unreadable(error)) from None
    return clip


def _unreadable(error: OSError) -> str:
    return f"it cannot be read: {error.strerror or type(error).__name__}"
