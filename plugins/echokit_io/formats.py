"""Choice of the module that reads a file, by the file's kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from echokit import Clip, ClipError, ClipStream
from echokit_io.budget import Budget
from echokit_io.clip_info import ClipInfo
from echokit_io.colour import Colour
from echokit_io.recognise import recognise

USUAL = Budget()
"""The limits where nobody gives others."""


def examine(path: Path, budget: Budget = USUAL) -> ClipInfo:
    """Read information about a clip from the head of its file; decodes no pixels.

    Raises:
        ClipError: the file is not a clip; the message is the reason.
    """
    with _named_reasons():
        info: ClipInfo = import_module(f"echokit_io.{recognise(path)}").examine(path, budget)
    return info


IN_COLOUR = ("dicom", "video")
"""Kinds of files in which colour Doppler is looked for."""


def read(path: Path, colour: Colour = "refuse", budget: Budget = USUAL) -> Clip:
    """Read the clip of a file as grey uint8 frames (T, H, W).

    Args:
        path: the file.
        colour: what happens to clips with colour Doppler.
        budget: what reading may cost.

    Raises:
        ClipError: it cannot be read; the message is the reason.
    """
    with _named_reasons():
        kind = recognise(path)
        options = {"colour": colour} if kind in IN_COLOUR else {}
        clip: Clip = import_module(f"echokit_io.{kind}").read(path, budget=budget, **options)
    return clip


def stream(
    path: Path, needed: Callable[[int], Sequence[int]], budget: Budget = USUAL
) -> ClipStream | None:
    """Open the clip of a file to be read block by block; None where it is read whole.

    Args:
        path: the file.
        needed: given the number of frames, returns which must be at hand.
        budget: what reading may cost.

    Raises:
        ClipError: it cannot be read, or shows colour Doppler; the message is the reason.
    """
    with _named_reasons():
        if recognise(path) != "video":
            return None
        from echokit_io import video_stream

        return video_stream.stream(path, needed, budget)


@contextmanager
def _named_reasons() -> Iterator[None]:
    """Make a failed read, or memory that the machine does not have, the reason of one file."""
    try:
        yield
    except OSError as error:
        raise ClipError(f"it cannot be read: {error.strerror or type(error).__name__}") from None
    except MemoryError:
        raise ClipError("it needs more memory than this machine has free") from None
